import { TranslationBundle } from '@jupyterlab/translation';
import { Poll } from '@lumino/polling';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { DbxError } from './dbx';
import { IDbx } from './tokens';

interface IStatus {
  target: string;
  cluster: { name: string; state: string } | null;
}

/** The target and the picked cluster of the project that the current document lies in. */
export class StatusItem extends Widget {
  constructor(
    private readonly dbx: IDbx,
    private readonly trans: TranslationBundle
  ) {
    super({ node: document.createElement('button') });
    this.addClass('jp-DbxStatus');
    this.addClass('jp-StatusBar-TextItem');
    this.addClass('jp-mod-highlighted');
    this.poll = new Poll({
      name: 'dbx-magic:status',
      auto: false,
      factory: () => this.read(),
      frequency: { interval: 30_000, backoff: true, max: 300_000 },
      standby: 'when-hidden'
    });
  }

  /** Read again, now. */
  async refresh(path: string): Promise<void> {
    this.path = path;
    await this.poll.refresh();
  }

  dispose(): void {
    this.poll.dispose();
    super.dispose();
  }

  handleEvent(event: Event): void {
    if (event.type === 'click') {
      void this.poll.refresh();
    }
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.node.addEventListener('click', this);
  }

  protected onBeforeDetach(message: Message): void {
    this.node.removeEventListener('click', this);
    super.onBeforeDetach(message);
  }

  private async read(): Promise<void> {
    const work = this.dbx.perform<IStatus>('status', {}, this.path);
    try {
      let step = await work.next();
      while (!step.done) {
        step = await work.next();
      }
      const status = step.value;
      this.node.textContent = status.cluster
        ? `${status.target} · ${status.cluster.name}`
        : this.trans.__('%1 · no cluster picked', status.target);
    } catch (error) {
      this.node.textContent = this.trans.__('Databricks: no project');
      this.node.title =
        error instanceof DbxError ? `${error.message} ${error.hint}` : '';
    }
  }

  private readonly poll: Poll;
  private path = '';
}
