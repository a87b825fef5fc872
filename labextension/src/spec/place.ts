/** Where a cursor stands in JSON, which may still be unfinished. */
export interface IPlace {
  /** The names and numbers that lead to the object or list around the cursor. */
  path: (string | number)[];
  /** The names that this object has already; null in a list. */
  names: string[] | null;
  /** The name whose value is expected; null where a name is expected itself. */
  key: string | null;
  /** What a completion replaces: the text in its quotes, with the closing one. */
  start: number;
  end: number;
  isQuoted: boolean;
}

interface ILevel {
  names: string[] | null;
  key: string | null;
  index: number;
}

const TOKEN = /"(?:[^"\\\n]|\\.)*"?|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Find where a cursor stands. */
export function placeAt(text: string, offset: number): IPlace {
  const levels: ILevel[] = [{ names: null, key: null, index: 0 }];
  const here = (start: number, end: number, isQuoted: boolean): IPlace => {
    const { names, key } = levels[levels.length - 1];
    const path = levels.slice(1, -1).map(one => one.key ?? one.index);
    return { path, names, key, start, end, isQuoted };
  };
  let place: IPlace | null = null;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const end = index + token.length;
    if (!place && index < offset && isWord(token)) {
      const isQuoted = token.startsWith('"');
      const isClosed = isQuoted && /[^\\]"$/.test(token);
      if (offset < end || (offset === end && !isClosed)) {
        const last = isQuoted && !isClosed ? offset : end;
        place = here(isQuoted ? index + 1 : index, last, isQuoted);
        continue; // what is being written is none of the names that are there
      }
    }
    if (index >= offset) {
      place ??= here(offset, offset, false);
    }
    step(levels, token);
  }
  return place ?? here(offset, offset, false);
}

function isWord(token: string): boolean {
  return !'{}[],:'.includes(token);
}

/** Go on behind a token. */
function step(levels: ILevel[], token: string): void {
  const level = levels[levels.length - 1];
  switch (token) {
    case '{':
      levels.push({ names: [], key: null, index: 0 });
      break;
    case '[':
      levels.push({ names: null, key: null, index: 0 });
      break;
    case '}':
    case ']':
      if (levels.length > 1) {
        levels.pop();
      }
      break;
    case ',':
      level.key = null;
      level.index += 1;
      break;
    case ':':
      break;
    default:
      if (level.names && level.key === null) {
        level.key = token.replace(/^"|"$/g, '');
        level.names.push(level.key);
      }
  }
}
