import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { Event, IArguments, IResults, Verb } from './protocol';
import { IOngoing, IDbx } from './tokens';

/** What is wrong, and what can be done about it. */
export class DbxError extends Error {
  constructor(
    message: string,
    readonly hint = ''
  ) {
    super(message);
  }
}

/** The verbs as the Jupyter server offers them; the only place that fetches. */
export class Dbx implements IDbx {
  constructor(private readonly serverSettings: ServerConnection.ISettings) {}

  async *perform<V extends Verb>(
    verb: V,
    args: IArguments[V],
    path: string
  ): AsyncGenerator<Event, IResults[V]> {
    const body = JSON.stringify({ arguments: args, path });
    const response = await this.request(verb, '', { method: 'POST', body });
    return yield* told<V>(await linesOf(response));
  }

  async ongoing(path: string): Promise<IOngoing | null> {
    const response = await this.request('', path, { method: 'GET' });
    if (response.status === 204) {
      return null;
    }
    const lines = await linesOf(response);
    const first = await lines.next();
    const { verb } = JSON.parse(first.value as string);
    return { verb, work: told(lines) };
  }

  async stop(verb: Verb, path: string): Promise<void> {
    await this.request(verb, path, { method: 'DELETE' });
  }

  private request(
    verb: string,
    path: string,
    init: RequestInit
  ): Promise<Response> {
    const url = URLExt.join(this.serverSettings.baseUrl, 'dbx-magic', verb);
    const query = path ? URLExt.objectToQueryString({ path }) : '';
    return ServerConnection.makeRequest(url + query, init, this.serverSettings);
  }
}

/** Run a verb to its end, for those who only want its result. */
export async function drive<Result>(
  work: AsyncGenerator<Event, Result>
): Promise<Result> {
  let step = await work.next();
  while (!step.done) {
    step = await work.next();
  }
  return step.value;
}

async function* told<V extends Verb>(
  lines: AsyncGenerator<string>
): AsyncGenerator<Event, IResults[V]> {
  for await (const text of lines) {
    const line = JSON.parse(text);
    if ('error' in line) {
      throw new DbxError(line.error.message, line.error.hint);
    }
    if ('result' in line) {
      return line.result;
    }
    yield line;
  }
  throw new DbxError(
    'The connection to the Jupyter server was lost.',
    'What was begun may still go on there; reload the page to find it again.'
  );
}

async function linesOf(response: Response): Promise<AsyncGenerator<string>> {
  const type = response.headers.get('Content-Type') ?? '';
  if (!response.body || !type.startsWith('application/x-ndjson')) {
    throw await ServerConnection.ResponseError.create(response);
  }
  return split(response.body);
}

/** Give a body's lines as they come; leaving early closes the connection. */
async function* split(
  body: ReadableStream<Uint8Array>
): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const text = rest + decoder.decode(value, { stream: !done });
      const parts = text.split('\n');
      rest = done ? '' : (parts.pop() ?? '');
      yield* parts.filter(part => part !== '');
      if (done) {
        return;
      }
    }
  } finally {
    await reader.cancel();
  }
}
