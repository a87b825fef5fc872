import { PathExt } from '@jupyterlab/coreutils';
import { IDisposable } from '@lumino/disposable';
import { IPoll, Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { drive } from './dbx';
import {
  IArguments,
  IClusterRow,
  IObjectDiff,
  IResults,
  LASTING,
  Verb
} from './protocol';
import { DEFAULTS, ISettings } from './settings';
import { IDbx } from './tokens';
import { Work } from './work';

/** What takes longer to read than the status, and is read only when somebody sees it. */
export type Part = 'clusters' | 'differences';

/** What shows the project, a widget say; while none is visible nothing is read again. */
export interface IViewer {
  readonly isVisible: boolean;
}

/** The verbs that can show their plan before they carry it out. */
export type Planning =
  'rebuild' | 'push' | 'pull' | 'commit' | 'publish' | 'rollback';

/** The project around the document in front: how it stands, and what is being done with it. */
export class Project implements IDisposable {
  constructor(private readonly dbx: IDbx) {}

  /** How it stands; null until that is known. */
  status: IResults['status'] | null = null;

  /** Why it is not known. */
  error: Error | null = null;

  /** The workspace's clusters; null until somebody looks. */
  clusters: IClusterRow[] | null = null;

  /** What differs from the workspace, or why that is not known; null until somebody looks. */
  differences: IObjectDiff[] | Error | null = null;

  /** The verb last begun. */
  work: Work | null = null;

  /** Whether a verb is under way. */
  get isBusy(): boolean {
    return this.work !== null && !this.work.isDone;
  }

  /** Tells that there is something new to show. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Tells that a verb has ended. */
  get ended(): ISignal<this, Work> {
    return this._ended;
  }

  /** Say who shows the status, and which parts besides. */
  addViewer(viewer: IViewer, ...parts: Part[]): void {
    this.viewers.set(viewer, parts);
  }

  get settings(): ISettings {
    return this._settings;
  }

  set settings(settings: ISettings) {
    this._settings = settings;
    this.poll.frequency = frequency(settings);
    this._changed.emit();
  }

  /** The document or folder in front, as Jupyter shows its path. */
  get path(): string {
    return this._path;
  }

  /** Turn to the project that a document or a folder lies in. */
  follow(path: string, folder = PathExt.dirname(path)): void {
    const last = this.folder;
    this._path = path;
    this.folder = folder;
    if (last === folder) {
      return;
    }
    this.status = this.error = this.work = null;
    this.clusters = this.differences = null;
    this._changed.emit();
    this.refresh();
    void this.findAgain();
  }

  /** Something may have changed: read again, now or when somebody sees it. */
  touch(): void {
    if (this.isSeen()) {
      this.refresh();
    } else {
      this.mayDiffer = true;
    }
  }

  /** Read again, now. What takes longer than the status is read only then. */
  refresh(): void {
    this.isAsked = this.mayDiffer = true;
    if (this.folder !== null) {
      void this.poll.refresh();
    }
  }

  /** Perform a verb only for its result. */
  ask<V extends Verb>(verb: V, args: IArguments[V]): Promise<IResults[V]> {
    return drive(this.dbx.perform(verb, args, this.path));
  }

  /** Perform a verb, and read again when it has ended. */
  perform<V extends Verb>(verb: V, args: IArguments[V]): Work {
    const { path } = this;
    return this.listen(
      new Work(verb, args, this.dbx.perform(verb, args, path))
    );
  }

  /** Show what a verb would do; when that is nothing, let it say so itself. */
  async propose<V extends Planning>(
    verb: V,
    args: IArguments[V]
  ): Promise<void> {
    const work = this.perform(verb, { ...args, dry_run: true });
    await work.finished;
    if (work === this.work && !work.error && !work.plan?.changes.length) {
      this.perform(verb, args);
    }
  }

  /** Carry out the plan that is shown, and no other. */
  apply(): void {
    const { work } = this;
    if (work?.plan && work.args) {
      const args = { ...work.args, dry_run: false };
      this.perform(work.verb, { ...args, expect: work.plan.fingerprint });
    }
  }

  /** Stop the verb under way. */
  stop(): void {
    if (this.work && LASTING.includes(this.work.verb)) {
      void this.dbx.stop(this.work.verb, this.path);
    } else {
      this.work?.leave();
    }
  }

  /** Show the verb last begun no longer, here and after a reload. */
  forget(): void {
    if (this.work && LASTING.includes(this.work.verb)) {
      void this.dbx.stop(this.work.verb, this.path);
    }
    this.work = null;
    this._changed.emit();
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  dispose(): void {
    this.poll.dispose();
    Signal.clearData(this);
  }

  private listen(work: Work): Work {
    this.work = work;
    work.changed.connect(() => this._changed.emit(), this);
    void work.finished.then(() => {
      this._ended.emit(work);
      this.refresh();
    });
    this._changed.emit();
    return work;
  }

  /** After a reload of the page: the verb that still goes on. */
  private async findAgain(): Promise<void> {
    const { folder } = this;
    const found = await this.dbx.ongoing(this.path).catch(() => null);
    if (found && folder === this.folder && !this.work) {
      this.listen(new Work(found.verb, null, found.work));
    }
  }

  private async read(): Promise<void> {
    const { folder } = this;
    this.isAsked = false;
    try {
      this.status = await this.ask('status', {});
      this.error = null;
      if (this.status.type === 'Status') {
        this._changed.emit();
        await this.look();
      }
    } catch (error) {
      this.status = null;
      this.error = error as Error;
    }
    if (folder !== this.folder || this.isAsked) {
      return this.read(); // asked for meanwhile: what was read may be out of date
    }
    this._changed.emit();
    if (this.error) {
      throw this.error; // so that the poll waits longer before it tries again
    }
  }

  private async look(): Promise<void> {
    if (this.isSeen('clusters')) {
      this.clusters = await this.ask('clusters', {}).then(
        found => found.rows,
        () => null // the status says what is the matter
      );
    }
    if (this.mayDiffer && this.isSeen('differences')) {
      this.mayDiffer = false;
      this.differences = await this.ask('diff', { names: true }).then(
        found => found.objects,
        error => error
      );
    }
  }

  private isSeen(part?: Part): boolean {
    return Array.from(this.viewers).some(
      ([viewer, parts]) => viewer.isVisible && (!part || parts.includes(part))
    );
  }

  private readonly viewers = new Map<IViewer, Part[]>();
  private _path = '';
  private folder: string | null = null; // until it is known where we are
  private isAsked = false;
  private mayDiffer = false;
  private _settings = DEFAULTS;
  private readonly poll = new Poll({
    name: 'dbx-magic:status',
    auto: false,
    factory: () => this.read(),
    frequency: frequency(DEFAULTS),
    standby: () => !this.isAsked && (document.hidden || !this.isSeen())
  });
  private readonly _changed = new Signal<this, void>(this);
  private readonly _ended = new Signal<this, Work>(this);
}

/** How often to look; less and less often while it fails. */
function frequency(settings: ISettings): IPoll.Frequency {
  const interval = settings.refreshSeconds * 1000;
  return { interval, backoff: true, max: Math.max(interval, 300_000) };
}
