import { IOffered } from '../protocol';
import { IPlace, placeAt } from './place';

// What a workspace tells the values of, by the field that they are told for.
const FIELDS: Record<string, string> = {
  spark_version: 'spark_version',
  node_type_id: 'node_type_id',
  driver_node_type_id: 'node_type_id',
  policy_id: 'policy_id'
};

/** As much of JSON Schema as the cluster spec's needs. */
export interface ISchema {
  description?: string;
  type?: string | string[];
  enum?: string[];
  readOnly?: boolean;
  properties?: Record<string, ISchema>;
  items?: ISchema;
}

/** One thing that can be written, and the text that does it. */
export interface IOffer {
  label: string;
  text: string;
  about: string;
}

/** What can be written at a cursor, and what of the text it replaces. */
export interface IOffers {
  start: number;
  end: number;
  offers: IOffer[];
}

/** Whether a workspace tells what can be written at a cursor. */
export function isOffered(text: string, offset: number): boolean {
  return fieldAt(placeAt(text, offset)) !== undefined;
}

function fieldAt({ path, key }: IPlace): string | undefined {
  return path.length === 0 && key !== null ? FIELDS[key] : undefined;
}

/** Say what a schema and a workspace let one write at a cursor. */
export function offersAt(
  schema: ISchema,
  text: string,
  offset: number,
  offered: IOffered[] = []
): IOffers {
  const place = placeAt(text, offset);
  const around = place.path.reduce<ISchema | undefined>(
    (rules, part) =>
      typeof part === 'number' ? rules?.items : rules?.properties?.[part],
    schema
  );
  const offers =
    place.names && place.key === null
      ? names(around, place, /^\s*:/.test(text.slice(place.end)))
      : [
          ...values(
            place.key === null
              ? around?.items
              : around?.properties?.[place.key],
            place
          ),
          ...told(offered, place)
        ];
  const written = text.slice(place.start, offset).toLowerCase();
  return {
    start: place.start,
    end: place.end,
    offers: offers.filter(one => one.label.toLowerCase().startsWith(written))
  };
}

function names(
  around: ISchema | undefined,
  place: IPlace,
  hasColon: boolean
): IOffer[] {
  return Object.entries(around?.properties ?? {})
    .filter(([name, rules]) => !rules.readOnly && !place.names?.includes(name))
    .map(([name, rules]) => ({
      label: name,
      text: quoted(name, place) + (hasColon ? '' : ': '),
      about: rules.description ?? ''
    }));
}

function values(rules: ISchema | undefined, place: IPlace): IOffer[] {
  const about = rules?.description ?? '';
  const texts = (rules?.enum ?? []).map(label => ({
    label,
    text: quoted(label, place),
    about
  }));
  const words =
    rules?.type === 'boolean' && !place.isQuoted ? ['true', 'false'] : [];
  return [...texts, ...words.map(label => ({ label, text: label, about }))];
}

function told(offered: IOffered[], place: IPlace): IOffer[] {
  return offered
    .filter(one => one.field === fieldAt(place))
    .map(({ value, about }) => ({
      // JupyterLab compares what is typed with what stands before the parenthesis.
      label: about ? `${value} (${about})` : value,
      text: quoted(value, place),
      about
    }));
}

function quoted(text: string, place: IPlace): string {
  return place.isQuoted ? `${text}"` : `"${text}"`;
}
