import { PathExt } from '@jupyterlab/coreutils';
import { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { drive } from './dbx';
import { IResults } from './protocol';
import { IDbx } from './tokens';

/** What is known of the project around the document in front. */
export class Project implements IDisposable {
  constructor(private readonly dbx: IDbx) {}

  /** The last answer; null until there is one for this folder. */
  status: IResults['status'] | null = null;

  /** Why there is none. */
  error: Error | null = null;

  /** Tells that `status` or `error` is new. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Turn to the project around a document. */
  follow(document: string): void {
    const folder = PathExt.dirname(document);
    if (folder === this.folder) {
      return;
    }
    this.folder = folder;
    this.status = this.error = null;
    this._changed.emit();
    this.refresh();
  }

  /** Read again, now. */
  refresh(): void {
    void this.poll.refresh();
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  dispose(): void {
    this.poll.dispose();
    Signal.clearData(this);
  }

  private async read(): Promise<void> {
    const folder = this.folder;
    try {
      this.status = await drive(this.dbx.perform('status', {}, folder ?? ''));
      this.error = null;
    } catch (error) {
      this.status = null;
      this.error = error as Error;
    }
    if (folder !== this.folder) {
      return this.read();
    }
    this._changed.emit();
    if (this.error) {
      throw this.error; // so that the poll waits longer before it tries again
    }
  }

  private readonly poll = new Poll({
    name: 'dbx-magic:status',
    auto: false,
    factory: () => this.read(),
    frequency: { interval: 30_000, backoff: true, max: 300_000 },
    standby: 'when-hidden'
  });
  private folder: string | null = null;
  private readonly _changed = new Signal<this, void>(this);
}
