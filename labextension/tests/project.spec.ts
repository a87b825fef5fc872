import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { namesOf } from '../src/badges';
import { IViewer, Part, Project } from '../src/project';
import { Event, Verb } from '../src/protocol';
import { DEFAULTS } from '../src/settings';
import { isSource, notebookOf } from '../src/source';
import { symbolOfDifference } from '../src/states';
import { IDbx } from '../src/tokens';

const PLAN = { title: '1 change', fingerprint: 'abc', changes: [{}] };

/** The server's side: it knows a project, plans one change, and remembers what it was asked. */
class Server implements IDbx {
  readonly asked: [Verb, Record<string, unknown>][] = [];
  answers: Promise<unknown> = Promise.resolve();

  async *perform(verb: Verb, args: object): AsyncGenerator<Event, never> {
    this.asked.push([verb, { ...args }]);
    await this.answers;
    if ('dry_run' in args) {
      yield { event: 'Planned', plan: PLAN } as never;
    }
    const results = {
      status: { type: 'Status', troubles: {} },
      clusters: { rows: [] },
      diff: { objects: [] }
    };
    return (results[verb as keyof typeof results] ?? { view: [] }) as never;
  }

  async ongoing(): Promise<null> {
    return null;
  }

  async stop(): Promise<void> {
    // Nothing goes on here.
  }

  count(verb: Verb): number {
    return this.asked.filter(([asked]) => asked === verb).length;
  }
}

let server: Server;
let project: Project;
const page = { hidden: false };

function seen(...parts: Part[]): { isVisible: boolean } & IViewer {
  const viewer = { isVisible: true };
  project.addViewer(viewer, ...parts);
  return viewer;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', page);
  page.hidden = false;
  server = new Server();
  project = new Project(server);
});

afterEach(() => {
  project.dispose();
  vi.useRealTimers();
});

describe('how the project stands', () => {
  it('is read at once, and again while somebody sees it', async () => {
    seen();
    project.follow('hello/a.ipynb');
    await vi.advanceTimersByTimeAsync(100);
    expect(server.count('status')).toBe(1);
    await vi.advanceTimersByTimeAsync(65_000);
    expect(server.count('status')).toBe(3);
  });

  it('is not asked for while nothing shows it', async () => {
    const viewer = seen();
    project.follow('hello/a.ipynb');
    await vi.advanceTimersByTimeAsync(100);
    viewer.isVisible = false;
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(server.count('status')).toBe(1);
    viewer.isVisible = true;
    await vi.advanceTimersByTimeAsync(31_000);
    expect(server.count('status')).toBe(2);
  });

  it('is not asked for while the page is hidden', async () => {
    seen();
    project.follow('hello/a.ipynb');
    await vi.advanceTimersByTimeAsync(100);
    page.hidden = true;
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(server.count('status')).toBe(1);
  });

  it('is read once with nothing visible, because commands depend on it', async () => {
    project.follow('hello/a.ipynb');
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(server.asked.map(([verb]) => verb)).toEqual(['status']);
  });

  it('is read as often as the settings say', async () => {
    seen();
    project.settings = { ...DEFAULTS, refreshSeconds: 5 };
    project.follow('hello/a.ipynb');
    await vi.advanceTimersByTimeAsync(21_000);
    expect(server.count('status')).toBe(5);
  });

  it('takes the differences only when that is asked and they are seen', async () => {
    const panel = seen('clusters', 'differences');
    project.follow('hello/a.ipynb');
    await vi.advanceTimersByTimeAsync(65_000);
    expect([server.count('clusters'), server.count('diff')]).toEqual([3, 1]);
    panel.isVisible = false;
    project.refresh();
    await vi.advanceTimersByTimeAsync(100);
    expect([server.count('clusters'), server.count('diff')]).toEqual([3, 1]);
    panel.isVisible = true; // what was asked for meanwhile
    await vi.advanceTimersByTimeAsync(31_000);
    expect([server.count('clusters'), server.count('diff')]).toEqual([4, 2]);
  });

  it('is read again at once when that is asked while it is read', async () => {
    let answer = (): void => undefined;
    server.answers = new Promise<void>(resolve => {
      answer = resolve;
    });
    project.follow('hello/a.ipynb');
    await vi.advanceTimersByTimeAsync(100);
    project.refresh();
    answer();
    await vi.advanceTimersByTimeAsync(100);
    expect(server.count('status')).toBe(2);
    await vi.advanceTimersByTimeAsync(3_600_000); // nobody sees it
    expect(server.count('status')).toBe(2);
  });

  it('is read after a change only when somebody sees it', async () => {
    const viewer = seen();
    project.follow('hello/a.ipynb');
    await vi.advanceTimersByTimeAsync(100);
    project.touch();
    await vi.advanceTimersByTimeAsync(100);
    expect(server.count('status')).toBe(2);
    viewer.isVisible = false;
    project.touch();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(server.count('status')).toBe(2);
  });

  it('is not read again for a document beside the last one', async () => {
    seen();
    project.follow('hello/a.ipynb');
    await vi.advanceTimersByTimeAsync(100);
    project.follow('hello/b.ipynb');
    await vi.advanceTimersByTimeAsync(100);
    expect(server.count('status')).toBe(1);
    project.follow('other/a.ipynb');
    await vi.advanceTimersByTimeAsync(100);
    expect(server.count('status')).toBe(2);
  });
});

describe('a plan', () => {
  it('is applied as it was shown, and no other', async () => {
    project.follow('hello/a.ipynb');
    await project.propose('push', { paths: ['this'] });
    expect(project.work?.plan).toBe(PLAN);
    expect(server.asked.at(-1)).toEqual([
      'push',
      { paths: ['this'], dry_run: true }
    ]);
    project.apply();
    expect(server.asked.at(-1)).toEqual([
      'push',
      { paths: ['this'], dry_run: false, expect: 'abc' }
    ]);
  });
});

describe('a file', () => {
  it.each([
    ['hello/notebooks/etl/load.ipynb', 'hello/a.ipynb', 'etl/load'],
    ['hello/workspace/lib/util.py', 'hello/notebooks/a.ipynb', 'lib/util.py'],
    ['notebooks/a.ipynb', 'notebooks/a.ipynb', 'a'],
    ['a/b/notebooks/c.md', 'a/b/dbx.toml', 'c']
  ])('%s has its name in the workspace', (file, document, name) => {
    expect(namesOf(file, document)).toContain(name);
  });

  it.each([
    ['other/notebooks/a.ipynb', 'hello/notebooks/a.ipynb'],
    ['hello/tests/a.py', 'hello/notebooks/a.ipynb'],
    ['hello', '']
  ])('%s has none', (file, document) => {
    expect(namesOf(file, document)).toEqual([]);
  });

  it.each([
    ['hello/workspace/etl/load.py', 'hello/notebooks/etl/load.ipynb'],
    ['workspace/a.sql', 'notebooks/a.ipynb'],
    ['hello/src/a.py', 'hello/src/a.ipynb']
  ])('%s has its notebook at %s', (source, notebook) => {
    expect(isSource(source)).toBe(true);
    expect(notebookOf(source)).toBe(notebook);
  });

  it.each([
    ['new', '', '+'],
    ['edited', '', '~'],
    ['', 'removed', '−'],
    ['edited', 'edited', '!']
  ])('%s here and %s there is %s', (here, there, symbol) => {
    const one = { path: 'a', here, there, lines: [] };
    expect(symbolOfDifference(one)).toBe(symbol);
  });
});
