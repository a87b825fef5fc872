import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { ISchema, isOffered, offersAt } from '../src/spec/offers';
import { placeAt } from '../src/spec/place';

/** A text with `|` where the cursor is. */
function at(marked: string): [string, number] {
  return [marked.replace('|', ''), marked.indexOf('|')];
}

describe('where a cursor stands', () => {
  it.each([
    ['{|', [], null, ''],
    ['{"num|', [], null, 'num'],
    ['{"num|": 3}', [], null, 'num"'],
    ['{"a": 1, |', [], null, ''],
    ['{"a": |', [], 'a', ''],
    ['{"a": "x|"}', [], 'a', 'x"'],
    ['{"a": "x"|}', [], 'a', ''],
    ['{"a": tr|', [], 'a', 'tr'],
    ['{"a": {"b": [{"c": 1}, {"d|', ['a', 'b', 1], null, 'd'],
    ['{"a": {"b": 1}, "c": "|', [], 'c', ''],
    ['{"a": "}\\"{", |', [], null, ''],
    ['|', [], null, '']
  ])('%s', (marked, path, key, under) => {
    const [text, offset] = at(marked);
    const place = placeAt(text, offset);
    expect(place).toMatchObject({ path, key });
    expect(text.slice(place.start, place.end)).toBe(under);
  });

  it('knows the names on both sides of it', () => {
    const place = placeAt(...at('{"a": {"x": 1}, "|", "b": [], "c": 2}'));
    expect(place.names).toEqual(['a', 'b', 'c']);
  });
});

describe('what a cluster spec may hold there', () => {
  const schema: ISchema = JSON.parse(
    readFileSync('../dbx_magic/schemas/cluster.json', 'utf-8')
  );
  const offered = (marked: string): string[] =>
    offersAt(schema, ...at(marked)).offers.map(offer => offer.label);
  /** The text after the offer of that label is taken. */
  const taken = (marked: string, label: string): string => {
    const [text, offset] = at(marked);
    const { start, end, offers } = offersAt(schema, text, offset);
    const offer = offers.find(one => one.label === label);
    return text.slice(0, start) + offer?.text + text.slice(end);
  };

  it('offers fields that are not there yet, each with what it is', () => {
    const { offers } = offersAt(schema, ...at('{"num_workers": 1, "|"}'));
    const labels = offers.map(offer => offer.label);
    expect(labels).toContain('autoscale');
    expect(labels).not.toContain('num_workers');
    expect(labels).not.toContain('cluster_id'); // only the workspace tells that
    expect(offers.every(offer => offer.about)).toBe(true);
  });

  it('offers the fields of objects and of lists of objects', () => {
    expect(offered('{"autoscale": {"m|')).toEqual([
      'min_workers',
      'max_workers'
    ]);
    expect(offered('{"libraries": [{"pypi": {"package": "x"}}, {|')).toContain(
      'maven'
    );
  });

  it('goes on from what is written', () => {
    expect(offered('{"Spark_|"}')).toEqual([
      'spark_version',
      'spark_conf',
      'spark_env_vars'
    ]);
  });

  it('offers values where there are few', () => {
    expect(offered('{"runtime_engine": "|')).toContain('PHOTON');
    expect(offered('{"is_single_node": |')).toEqual(['true', 'false']);
    expect(offered('{"num_workers": |')).toEqual([]);
    expect(offered('{"spark_conf": {"|')).toEqual([]);
  });

  it('offers what the workspace tells, where it belongs', () => {
    const told = [
      { field: 'node_type_id', value: 'small', about: '4 cores, 14 GB' },
      { field: 'spark_version', value: '16.4', about: '' }
    ];
    const labels = (marked: string): string[] =>
      offersAt(schema, ...at(marked), told).offers.map(offer => offer.label);
    expect(labels('{"node_type_id": "s|"}')).toEqual([
      'small (4 cores, 14 GB)'
    ]);
    expect(labels('{"driver_node_type_id": |}')).toHaveLength(1);
    expect(labels('{"spark_version": "|')).toEqual(['16.4']);
    expect(labels('{"spark_version": "17|')).toEqual([]);
    expect(labels('{"custom_tags": {"spark_version": "|')).toEqual([]);
    expect(isOffered(...at('{"policy_id": "|'))).toBe(true);
    expect(isOffered(...at('{"|'))).toBe(false);
  });

  it.each([
    ['{"num|', 'num_workers', '{"num_workers": '],
    ['{"num|"}', 'num_workers', '{"num_workers": }'],
    ['{"num|": 3}', 'num_workers', '{"num_workers": 3}'],
    ['{|}', 'num_workers', '{"num_workers": }'],
    ['{"runtime_engine": "P|"}', 'PHOTON', '{"runtime_engine": "PHOTON"}'],
    ['{"runtime_engine": |}', 'PHOTON', '{"runtime_engine": "PHOTON"}']
  ])('%s: completes with the quotes that lack', (marked, label, text) => {
    expect(taken(marked, label)).toBe(text);
  });
});
