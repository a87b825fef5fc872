import { PathExt } from '@jupyterlab/coreutils';

import { drive } from '../dbx';
import { IOffered } from '../protocol';
import { IDbx } from '../tokens';

const FRESH = 60_000; // milliseconds; another target may be in use by then

/** What the workspace offers to the specs of each folder, read when a spec is written there. */
export class Offered {
  constructor(private readonly dbx: IDbx) {}

  /** Give it for the spec at `path`; nothing when the workspace does not answer. */
  for(path: string): Promise<IOffered[]> {
    const folder = PathExt.dirname(path);
    const known = this.known.get(folder);
    if (known && Date.now() - known.since < FRESH) {
      return known.offered;
    }
    const work = this.dbx.perform('spec', { action: 'offers' }, path);
    const offered = drive(work).then(
      result => (result.type === 'WorkspaceOffers' ? result.offered : []),
      () => {
        this.known.delete(folder); // it may be there next time
        return [];
      }
    );
    this.known.set(folder, { since: Date.now(), offered });
    return offered;
  }

  private readonly known = new Map<
    string,
    { since: number; offered: Promise<IOffered[]> }
  >();
}
