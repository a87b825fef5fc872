import { ServerConnection } from '@jupyterlab/services';
import { describe, expect, it } from 'vitest';

import { Dbx, DbxError, drive } from '../src/dbx';
import { Event } from '../src/protocol';

/** The server's side: what it answers to a request. */
type Answer = (request: Request) => Response | Promise<Response>;

function connect(answer: Answer): Dbx {
  return new Dbx(
    ServerConnection.makeSettings({
      baseUrl: 'http://hub.test/user/ada/',
      fetch: async (input, init) => answer(new Request(input, init))
    })
  );
}

/** JSON lines, in pieces that end anywhere. */
function told(text: string, status = 200, piece = 7): Response {
  const bytes = new TextEncoder().encode(text);
  const body = new ReadableStream<Uint8Array>({
    start: stream => {
      for (let from = 0; from < bytes.length; from += piece) {
        stream.enqueue(bytes.slice(from, from + piece));
      }
      stream.close();
    }
  });
  const headers = { 'Content-Type': 'application/x-ndjson' };
  return new Response(body, { status, headers });
}

const NOTE = { event: 'Note', text: 'größer → kleiner', symbol: '~' };
const RESULT = { type: 'Cluster', view: [], name: 'hello' };

describe('a verb', () => {
  it('is posted with its arguments and the document that it is for', async () => {
    const seen: unknown[] = [];
    const dbx = connect(async request => {
      const { origin, pathname } = new URL(request.url);
      seen.push(request.method, origin + pathname, await request.json());
      return told(JSON.stringify({ result: RESULT }));
    });
    const work = dbx.perform('pick', { cluster: 'x' }, 'hello/a.ipynb');
    expect(await drive(work)).toEqual(RESULT);
    expect(seen).toEqual([
      'POST',
      'http://hub.test/user/ada/dbx-magic/pick',
      { arguments: { cluster: 'x' }, path: 'hello/a.ipynb' }
    ]);
  });

  it('tells its events as they come and then its result', async () => {
    const lines = [NOTE, NOTE, { result: RESULT }];
    const dbx = connect(() =>
      told(lines.map(l => JSON.stringify(l)).join('\n'))
    );
    const work = dbx.perform('start', {}, '');
    const events: Event[] = [];
    let step = await work.next();
    while (!step.done) {
      events.push(step.value);
      step = await work.next();
    }
    expect(events).toEqual([NOTE, NOTE]);
    expect(step.value).toEqual(RESULT);
  });

  it('fails with what is wrong and what can be done', async () => {
    const error = { type: 'ConflictError', message: 'Two.', hint: 'Pull.' };
    const dbx = connect(() => told(JSON.stringify({ error }) + '\n', 409));
    const failure = await drive(dbx.perform('push', {}, '')).catch(e => e);
    expect(failure).toBeInstanceOf(DbxError);
    expect(failure).toMatchObject({ message: 'Two.', hint: 'Pull.' });
  });

  it('says that the connection was lost when there is no last line', async () => {
    const dbx = connect(() => told(JSON.stringify(NOTE) + '\n'));
    await expect(drive(dbx.perform('push', {}, ''))).rejects.toThrow(/lost/);
  });

  it('shows the answer of a server that does not know it', async () => {
    const dbx = connect(() => new Response('{}', { status: 502 }));
    await expect(drive(dbx.perform('push', {}, ''))).rejects.toThrow(
      ServerConnection.ResponseError
    );
  });

  it('ends the request when one leaves early', async () => {
    let isClosed = false;
    const dbx = connect(() => {
      const body = new ReadableStream({
        start: stream =>
          stream.enqueue(new TextEncoder().encode(JSON.stringify(NOTE) + '\n')),
        cancel: () => {
          isClosed = true;
        }
      });
      const headers = { 'Content-Type': 'application/x-ndjson' };
      return new Response(body, { headers });
    });
    const work = dbx.perform('run', { notebook: 'a' }, '');
    await work.next();
    await work.return(undefined as never);
    expect(isClosed).toBe(true);
  });
});

describe('the verb under way', () => {
  it('is none', async () => {
    const dbx = connect(() => new Response(null, { status: 204 }));
    expect(await dbx.ongoing('hello')).toBeNull();
  });

  it('is found by its name, and told from its beginning', async () => {
    const lines = [{ verb: 'rebuild' }, NOTE, { result: RESULT }];
    const dbx = connect(request => {
      const { searchParams } = new URL(request.url);
      expect(searchParams.get('path')).toBe('hello/a b.ipynb');
      return told(lines.map(line => JSON.stringify(line)).join('\n'));
    });
    const found = await dbx.ongoing('hello/a b.ipynb');
    expect(found?.verb).toBe('rebuild');
    expect(await found?.work.next()).toEqual({ done: false, value: NOTE });
  });
});
