import { Token } from '@lumino/coreutils';

import { Event, IArguments, IResults, Verb } from './protocol';

/** The verbs of dbx_magic, performed by the Jupyter server. */
export interface IDbx {
  /**
   * Perform a verb on the project around the document or folder at `path`.
   *
   * It yields events and returns the result. Leaving it early stops a verb that only reads; one
   * that changes something goes on.
   */
  perform<V extends Verb>(
    verb: V,
    args: IArguments[V],
    path: string
  ): AsyncGenerator<Event, IResults[V]>;

  /** Find the changing verb last begun on a project, by this page or by any other. */
  changing(path: string): Promise<IChanging | null>;

  /** Stop the changing verb of a project. */
  stop(path: string): Promise<void>;
}

/** A changing verb, told from its beginning. */
export interface IChanging {
  verb: Verb;
  work: AsyncGenerator<Event, IResults[Verb]>;
}

export const IDbx = new Token<IDbx>(
  'dbx-magic:IDbx',
  'Performs the verbs of dbx_magic on a project.'
);
