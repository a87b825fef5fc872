import { ISignal, Signal } from '@lumino/signaling';

import {
  Event,
  IArguments,
  INote,
  IPlan,
  IProgress,
  IResults,
  Verb
} from './protocol';

/**
 * One verb as the panel shows it, from its first event to its end.
 *
 * `args` is null for a verb that another page began.
 */
export class Work {
  constructor(
    readonly verb: Verb,
    readonly args: IArguments[Verb] | null,
    private readonly told: AsyncGenerator<Event, IResults[Verb]>
  ) {
    this.finished = this.listen();
  }

  readonly notes: INote[] = [];
  readonly progress = new Map<string, IProgress>();
  plan: IPlan | null = null;
  result: IResults[Verb] | null = null;
  error: Error | null = null;
  isDone = false;

  /** Resolves when the verb has ended, well or not. */
  readonly finished: Promise<void>;

  /** Whether it only shows what it would do. */
  get isTrial(): boolean {
    return (this.args as { dry_run?: boolean } | null)?.dry_run ?? false;
  }

  /** Tells each output of code that runs on the cluster. */
  get shown(): ISignal<this, Extract<Event, { event: 'Shown' }>> {
    return this._shown;
  }

  /** Tells that there is something new to show. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Stop listening, which stops a verb that only reads. */
  leave(): void {
    void this.told.return(undefined as never);
  }

  private async listen(): Promise<void> {
    try {
      let step = await this.told.next();
      while (!step.done) {
        this.note(step.value);
        this._changed.emit();
        step = await this.told.next();
      }
      this.result = step.value ?? null;
    } catch (error) {
      this.error = error as Error;
    }
    this.isDone = true;
    this.progress.clear();
    this._changed.emit();
  }

  private note(event: Event): void {
    switch (event.event) {
      case 'Note':
        this.notes.push(event);
        break;
      case 'Progress':
        this.progress.set(event.subject, event);
        break;
      case 'Planned':
        this.plan = event.plan;
        break;
      case 'Shown':
        this._shown.emit(event);
        break;
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _shown = new Signal<
    this,
    Extract<Event, { event: 'Shown' }>
  >(this);
}
