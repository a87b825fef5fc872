import { Token } from '@lumino/coreutils';

import { Event, IArguments, IResults, Verb } from './protocol';

/** The verbs of dbx_magic, performed by the Jupyter server. */
export interface IDbx {
  /**
   * Perform a verb on the project around the document at `path`.
   *
   * It yields events and returns the result; leaving it early stops a verb that only reads.
   */
  perform<V extends Verb>(
    verb: V,
    args: IArguments[V],
    path: string
  ): AsyncGenerator<Event, IResults[V]>;
}

export const IDbx = new Token<IDbx>(
  'dbx-magic:IDbx',
  'Performs the verbs of dbx_magic on a project.'
);
