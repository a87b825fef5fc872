import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { Event, IArguments, IResults, Verb } from './protocol';
import { IDbx } from './tokens';

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
    const response = await ServerConnection.makeRequest(
      URLExt.join(this.serverSettings.baseUrl, 'dbx-magic', verb),
      { method: 'POST', body: JSON.stringify({ arguments: args, path }) },
      this.serverSettings
    );
    const type = response.headers.get('Content-Type') ?? '';
    if (!response.body || !type.startsWith('application/x-ndjson')) {
      throw await ServerConnection.ResponseError.create(response);
    }
    for await (const text of lines(response.body)) {
      const line = JSON.parse(text);
      if ('error' in line) {
        throw new DbxError(line.error.message, line.error.hint);
      }
      if ('result' in line) {
        return line.result;
      }
      yield line;
    }
    throw new DbxError(`The Jupyter server ended before ${verb} did.`);
  }
}

/** Split a body into its lines as they come; leaving early closes the connection. */
async function* lines(
  body: ReadableStream<Uint8Array>
): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const parts = (rest + decoder.decode(value, { stream: !done })).split(
        '\n'
      );
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
