import { TranslationBundle } from '@jupyterlab/translation';

import { IObjectDiff } from './protocol';

/** The symbol of a cluster's state; one never seen before counts as in between. */
export function symbolOf(state: string): string {
  switch (state) {
    case 'RUNNING':
    case 'RESIZING':
      return '●';
    case 'TERMINATED':
      return '○';
    case 'ERROR':
      return '✗';
    default:
      return '◐';
  }
}

/** A cluster's state as people say it. */
export function wordsOf(state: string, trans: TranslationBundle): string {
  switch (state) {
    case 'PENDING':
      return trans.__('starting');
    case 'RUNNING':
      return trans.__('running');
    case 'RESTARTING':
      return trans.__('restarting');
    case 'RESIZING':
      return trans.__('running, changing its size');
    case 'TERMINATING':
      return trans.__('stopping');
    case 'TERMINATED':
      return trans.__('stopped');
    case 'ERROR':
      return trans.__('failed');
    default:
      return state.toLowerCase();
  }
}

/** The symbol of what was done to an object here and in the workspace. */
export function symbolOfDifference(one: IObjectDiff): string {
  if (one.here && one.there) {
    return '!';
  }
  const symbols: Record<string, string> = { new: '+', removed: '−' };
  return symbols[one.here || one.there] ?? '~';
}
