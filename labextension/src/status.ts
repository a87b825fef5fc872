import { TranslationBundle } from '@jupyterlab/translation';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { DbxError } from './dbx';
import { Project } from './project';
import { IClusterStatus, IResults } from './protocol';
import { symbolOf, wordsOf } from './states';

/** The target and the picked cluster in the status bar; a click offers other clusters. */
export class StatusItem extends Widget {
  constructor(
    private readonly project: Project,
    private readonly trans: TranslationBundle,
    private readonly onClick: (item: HTMLElement) => void
  ) {
    super({ node: document.createElement('button') });
    this.addClass('jp-StatusBar-TextItem');
    this.addClass('jp-mod-highlighted');
    this.addClass('jp-DbxStatus');
    this.node.setAttribute('aria-haspopup', 'menu');
    project.addViewer(this);
    project.changed.connect(this.update, this);
  }

  handleEvent(event: Event): void {
    if (event.type === 'click') {
      this.onClick(this.node);
    }
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.node.addEventListener('click', this);
    this.update();
  }

  protected onBeforeDetach(message: Message): void {
    this.node.removeEventListener('click', this);
    super.onBeforeDetach(message);
  }

  protected onUpdateRequest(): void {
    const { status, error } = this.project;
    const [text, title] = error
      ? this.failed(error)
      : status
        ? this.known(status)
        : [this.trans.__('Databricks …'), ''];
    this.node.textContent = text;
    this.node.title = title;
  }

  private failed(error: Error): [string, string] {
    const hint = error instanceof DbxError ? error.hint : '';
    return [this.trans.__('Databricks ✗'), `${error.message} ${hint}`];
  }

  private known(status: IResults['status']): [string, string] {
    const { trans } = this;
    if (status.type === 'NoProject') {
      return [
        trans.__('no Databricks project'),
        trans.__(
          '%1 is no project yet. Make one with: %dbx init',
          status.folder
        )
      ];
    }
    const trouble = status.troubles['workspace'] ?? status.troubles['cluster'];
    if (trouble) {
      return [`${status.target} · !`, trouble];
    }
    const place = trans.__('%1, as %2', status.host, status.user);
    return status.cluster
      ? [
          `${status.target} · ${symbolOf(status.cluster.state)} ${status.cluster.name}`,
          `${this.cluster(status.cluster)}\n${place}`
        ]
      : [trans.__('%1 · no cluster', status.target), place];
  }

  private cluster(cluster: IClusterStatus): string {
    const parts = [
      this.trans.__(
        '%1 is %2',
        cluster.name,
        wordsOf(cluster.state, this.trans)
      ),
      this.trans.__('runtime %1', cluster.runtime),
      cluster.size
    ];
    if (cluster.differs.length > 0) {
      parts.push(
        this.trans.__('differs from its spec: %1', cluster.differs.join(', '))
      );
    }
    return parts.join(' · ');
  }
}
