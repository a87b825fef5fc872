import { ISessionContext, Notification } from '@jupyterlab/apputils';
import { Kernel, KernelMessage } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import * as React from 'react';

// What the kernel's side of this tells; see dbx_magic/remote_mode.py.
const MODE = 'application/vnd.dbx.remote+json';
const VARIABLE = '__dbx_remote__';

/** Whether a notebook's cells run here or on the cluster, and the way to the other. */
export class RemoteMode extends ReactWidget {
  constructor(
    private readonly session: ISessionContext,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-DbxRemote');
    session.kernelChanged.connect(this.ask, this);
    session.statusChanged.connect(this.onStatus, this);
    session.iopubMessage.connect(this.onMessage, this);
    void this.ask();
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.update();
  }

  protected render(): JSX.Element | null {
    const { cluster, isTurning, trans } = this;
    if (!this.isPython) {
      return null;
    }
    const [text, title] = cluster
      ? [cluster, trans.__('Cells run on %1. Click to run them here.', cluster)]
      : [
          trans.__('here'),
          trans.__('Cells run here. Click to run them on the cluster.')
        ];
    return (
      <button
        type="button"
        role="switch"
        aria-checked={cluster !== ''}
        aria-label={title}
        title={title}
        disabled={isTurning}
        onClick={() => void this.turn()}
      >
        {isTurning ? '◐' : cluster ? '●' : '○'} {text}
      </button>
    );
  }

  /** Ask the kernel for its mode; that is no cell, and shows nothing. */
  private async ask(): Promise<void> {
    this.cluster = '';
    this.isPython = false;
    const { kernel } = this;
    const info = await kernel?.info.catch(() => null);
    if (kernel && info?.language_info.name === 'python') {
      this.isPython = true;
      this.update();
      const { content } = await kernel.requestExecute({
        code: '',
        silent: true,
        user_expressions: { mode: VARIABLE }
      }).done;
      this.cluster = clusterOf(content) || this.cluster;
    }
    this.update();
  }

  private async turn(): Promise<void> {
    const { cluster, kernel, trans } = this;
    if (!kernel) {
      return;
    }
    this.isTurning = true;
    this.update();
    const { content } = await kernel.requestExecute({
      code: cluster ? '%dbx remote off' : '%load_ext dbx_magic\n%dbx remote on',
      store_history: false
    }).done;
    this.isTurning = false;
    this.update();
    if (content.status === 'error') {
      Notification.error(content.evalue || trans.__('The kernel was stopped.'));
    }
  }

  private onMessage(_: unknown, message: KernelMessage.IMessage): void {
    const { data } = message.content as { data?: Record<string, unknown> };
    const mode = data?.[MODE] as { cluster: string } | undefined;
    if (mode) {
      this.cluster = mode.cluster;
      this.update();
    }
  }

  private onStatus(_: unknown, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting') {
      this.cluster = '';
      this.isTurning = false;
      this.update();
    }
  }

  private get kernel(): Kernel.IKernelConnection | null {
    return this.session.session?.kernel ?? null;
  }

  private cluster = '';
  private isPython = false;
  private isTurning = false;
}

/** The value of the variable: the name of a cluster, in Python's quotes. */
function clusterOf(content: KernelMessage.IExecuteReplyMsg['content']): string {
  if (content.status !== 'ok') {
    return '';
  }
  const found = content.user_expressions['mode'] as {
    data?: { 'text/plain'?: string };
  };
  return found?.data?.['text/plain']?.slice(1, -1) ?? '';
}
