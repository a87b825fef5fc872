import { Token } from '@lumino/coreutils';

import { Event, IArguments, IResults, Verb } from './protocol';

/** The verbs of dbx_magic, performed by the Jupyter server. */
export interface IDbx {
  /**
   * Perform a verb on the project around the document or folder at `path`.
   *
   * It yields events and returns the result. Leaving it early stops a verb that only reads; one
   * that changes something goes on, and so does the run of a notebook.
   */
  perform<V extends Verb>(
    verb: V,
    args: IArguments[V],
    path: string
  ): AsyncGenerator<Event, IResults[V]>;

  /** Find the verb that goes on, or did so last, on a project, whichever page began it. */
  ongoing(path: string): Promise<IOngoing | null>;

  /** Stop a verb that goes on, or forget one that has ended. */
  stop(verb: Verb, path: string): Promise<void>;
}

/** A verb that goes on, told from its beginning. */
export interface IOngoing {
  verb: Verb;
  work: AsyncGenerator<Event, IResults[Verb]>;
}

export const IDbx = new Token<IDbx>(
  'dbx-magic:IDbx',
  'Performs the verbs of dbx_magic on a project.'
);
