import { JupyterFrontEnd } from '@jupyterlab/application';
import { ISessionContext } from '@jupyterlab/apputils';
import { DocumentRegistry, DocumentWidget } from '@jupyterlab/docregistry';
import { FileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { KernelMessage } from '@jupyterlab/services';
import { Widget } from '@lumino/widgets';

import { eachBrowser, folderOf } from './browsers';
import { Project } from './project';

/** The document in front; a terminal or the launcher is none. */
export function documentInFront(app: JupyterFrontEnd): DocumentWidget | null {
  const widget = app.shell.currentWidget;
  return widget instanceof DocumentWidget ? widget : null;
}

/**
 * Keep to the project of the document in front, and to what its kernel does with it; while no
 * document is in front, to the project of the folder that is browsed to.
 *
 * Only when JupyterLab stands: until then nothing is asked that could hold it up.
 */
export async function follow(
  app: JupyterFrontEnd,
  project: Project,
  browsers: IFileBrowserFactory | null
): Promise<void> {
  let session: ISessionContext | null = null;
  let context: DocumentRegistry.Context | null = null;
  const touch = (): void => project.touch();
  const turn = (): void => {
    const document = documentInFront(app);
    if (document) {
      project.follow(document.context.localPath);
    }
    context?.saveState.disconnect(onSave);
    context = document?.context ?? null;
    context?.saveState.connect(onSave);
    session?.iopubMessage.disconnect(listen);
    session = sessionOf(document);
    session?.iopubMessage.connect(listen);
  };
  const onSave = (_: unknown, state: DocumentRegistry.SaveState): void => {
    if (state === 'completed') {
      touch();
    }
  };
  const listen = whenDbxHasRun(touch);
  const browse = (browser: FileBrowser | null): void => {
    if (!documentInFront(app)) {
      const folder = browser ? folderOf(browser) : '';
      project.follow(folder, folder);
    }
  };
  await app.restored;
  app.shell.currentChanged?.connect(turn);
  turn();
  browse(browsers?.tracker.currentWidget ?? null);
  eachBrowser(browsers, browser =>
    browser.model.pathChanged.connect(() => browse(browser))
  );
}

/** Call back after each cell that uses the magic, because it may have changed anything. */
function whenDbxHasRun(
  callback: () => void
): (sender: unknown, message: KernelMessage.IMessage) => void {
  let request = '';
  return (_, message) => {
    const parent = (message.parent_header as KernelMessage.IHeader).msg_id;
    if (KernelMessage.isExecuteInputMsg(message)) {
      if (message.content.code.includes('%dbx')) {
        request = parent;
      }
    } else if (KernelMessage.isStatusMsg(message)) {
      if (message.content.execution_state === 'idle' && parent === request) {
        request = '';
        callback();
      }
    }
  };
}

function sessionOf(widget: Widget | null): ISessionContext | null {
  // Of a notebook or console panel; to ask for those would bring their packages into the build.
  return (
    (widget as { sessionContext?: ISessionContext } | null)?.sessionContext ??
    null
  );
}
