import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { Offered } from '../src/spec/offered';
import { IDbx } from '../src/tokens';

const TOLD = [{ field: 'policy_id', value: 'p-1', about: 'Small' }];

/** A workspace that may not answer. */
class Server {
  asked = 0;
  answers = true;

  async *perform(): AsyncGenerator<object, unknown> {
    this.asked += 1;
    if (!this.answers) {
      throw new Error('It does not answer.');
    }
    yield { event: 'Note', symbol: '', text: 'It is asked.' };
    return { type: 'WorkspaceOffers', offered: TOLD };
  }
}

let server: Server;
let offered: Offered;

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  offered = new Offered(server as unknown as IDbx);
});

afterEach(() => {
  vi.useRealTimers();
});

it('is asked for once in a while, for each folder', async () => {
  expect(await offered.for('a/config.cluster.json')).toEqual(TOLD);
  await offered.for('a/config.cluster.json');
  expect(server.asked).toBe(1);
  await offered.for('b/config.cluster.json');
  expect(server.asked).toBe(2);
  vi.advanceTimersByTime(61_000);
  await offered.for('a/config.cluster.json');
  expect(server.asked).toBe(3);
});

it('is nothing while the workspace does not answer, and asked for again', async () => {
  server.answers = false;
  expect(await offered.for('config.cluster.json')).toEqual([]);
  server.answers = true;
  expect(await offered.for('config.cluster.json')).toEqual(TOLD);
});
