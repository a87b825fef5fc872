import { PathExt } from '@jupyterlab/coreutils';
import { FileBrowser } from '@jupyterlab/filebrowser';

import { folderOf } from './browsers';
import { Project } from './project';
import { symbolOfDifference } from './states';

/** Mark the files that differ from the workspace, by the symbol that the panel has for them. */
export class Badges {
  constructor(
    private readonly browser: FileBrowser,
    private readonly project: Project
  ) {
    project.addViewer(this, 'differences');
    project.changed.connect(this.draw, this);
    // The file browser uses the element of one file for another, as it is scrolled.
    const observer = new MutationObserver(() => this.draw());
    observer.observe(browser.node, { childList: true, subtree: true });
    browser.disposed.connect(() => {
      observer.disconnect();
      project.changed.disconnect(this.draw, this);
    });
  }

  get isVisible(): boolean {
    return this.browser.isVisible && this.project.settings.showBadges;
  }

  private draw(): void {
    const { browser, project } = this;
    const { differences, settings } = project;
    const symbols = new Map<string, string>();
    if (settings.showBadges && Array.isArray(differences)) {
      differences.forEach(one =>
        symbols.set(one.path, symbolOfDifference(one))
      );
    }
    const folder = folderOf(browser);
    browser.node
      .querySelectorAll<HTMLElement>('.jp-DirListing-itemText')
      .forEach(text => {
        const file = PathExt.join(folder, text.textContent ?? '');
        const symbol = namesOf(file, project.path)
          .map(name => symbols.get(name))
          .find(Boolean);
        if (symbol) {
          text.dataset.dbx = symbol;
        } else {
          delete text.dataset.dbx;
        }
      });
  }
}

/** What a file may be called in the workspace, when it is of the project that a document is of. */
export function namesOf(file: string, document: string): string[] {
  const found = /^(.*\/)?(?:notebooks|workspace)\/(.+)$/.exec(file);
  if (!found || !document.startsWith(found[1] ?? '')) {
    return [];
  }
  const name = found[2];
  const suffix = PathExt.extname(name);
  return [name, name.slice(0, name.length - suffix.length)];
}
