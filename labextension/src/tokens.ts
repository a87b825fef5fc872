import { Token } from '@lumino/coreutils';

/** What a verb is called with. */
export type Arguments = Record<string, unknown>;

/** The verbs of dbx_magic, carried out by the Jupyter server. */
export interface IDbx {
  /**
   * Carry out a verb for the project that `path` lies in.
   *
   * The iterator yields events and returns the result; leaving it early stops the verb.
   */
  perform<Result>(
    verb: string,
    args: Arguments,
    path: string
  ): AsyncGenerator<object, Result>;
}

export const IDbx = new Token<IDbx>(
  'dbx-magic:IDbx',
  'Carries out the verbs of dbx_magic for a project.'
);
