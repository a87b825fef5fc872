import * as React from 'react';

import { IClusterRow, IClusterStatus } from '../protocol';
import { symbolOf, wordsOf } from '../states';
import { Action, IPart, Line, Section } from './parts';

const MOST_ROWS = 20;

/** The picked cluster with its one obvious action; the others to pick from. */
export function Clusters(
  props: React.PropsWithChildren<IPart & { picked: IClusterStatus | null }>
): JSX.Element {
  const { picked, trans } = props;
  const others = (props.project.clusters ?? []).filter(
    row => row.cluster_id !== picked?.cluster_id
  );
  return (
    <Section title={trans.__('Cluster')}>
      {picked ? (
        <Picked {...props} picked={picked} />
      ) : (
        <Line
          text={trans.__('none yet')}
          note={trans.__('Rebuild makes it from pipelines/config.cluster.json')}
        />
      )}
      <Actions {...props} picked={picked} />
      {props.children}
      {others.length > 0 && <Others {...props} rows={others} />}
    </Section>
  );
}

function Picked(props: IPart & { picked: IClusterStatus }): JSX.Element {
  const { picked, trans } = props;
  const spec =
    picked.differs.length > 0
      ? trans.__('differs from its spec: %1', picked.differs.join(', '))
      : trans.__('equal to its spec');
  return (
    <Line
      symbol={symbolOf(picked.state)}
      text={picked.name}
      note={[
        wordsOf(picked.state, trans),
        trans.__('runtime %1', picked.runtime),
        picked.size,
        spec
      ].join(' · ')}
    />
  );
}

function Actions(
  props: IPart & { picked: IClusterStatus | null }
): JSX.Element {
  const { picked, project, trans } = props;
  const disabled = project.isBusy;
  const isStopped = picked?.state === 'TERMINATED' || picked?.state === 'ERROR';
  const isRunning = picked?.state === 'RUNNING';
  return (
    <div className="jp-DbxPanel-actions">
      {isStopped && (
        <Action
          isObvious
          disabled={disabled}
          label={trans.__('Start')}
          onClick={() => void project.perform('start', {})}
        />
      )}
      {isRunning && (
        <Action
          disabled={disabled}
          label={trans.__('Stop')}
          title={trans.__('What it holds in memory is lost')}
          onClick={() => void project.perform('stop', {})}
        />
      )}
      <Action
        isObvious={!picked || picked.differs.length > 0}
        disabled={disabled}
        label={trans.__('Rebuild…')}
        title={trans.__('Make the cluster equal to its spec')}
        onClick={() => void project.propose('rebuild', {})}
      />
    </div>
  );
}

function Others(props: IPart & { rows: IClusterRow[] }): JSX.Element {
  const { project, rows, trans } = props;
  const [filter, setFilter] = React.useState('');
  const found = rows.filter(row =>
    row.name.toLowerCase().includes(filter.toLowerCase())
  );
  const rest = found.length - MOST_ROWS;
  return (
    <details>
      <summary>
        {trans._n('%1 other cluster', '%1 other clusters', rows.length)}
      </summary>
      {rows.length > MOST_ROWS && (
        <input
          className="jp-mod-styled"
          type="search"
          placeholder={trans.__('Filter by name')}
          aria-label={trans.__('Filter by name')}
          value={filter}
          onChange={event => setFilter(event.target.value)}
        />
      )}
      {found.slice(0, MOST_ROWS).map(row => (
        <div key={row.cluster_id} className="jp-DbxPanel-row">
          <Line
            symbol={symbolOf(row.state)}
            text={row.name}
            note={`${wordsOf(row.state, trans)} · ${row.runtime} · ${row.creator}`}
          />
          <Action
            disabled={project.isBusy}
            label={trans.__('Pick')}
            title={trans.__('Run cells and notebooks on %1', row.name)}
            onClick={() =>
              void project.perform('pick', { cluster: row.cluster_id })
            }
          />
        </div>
      ))}
      {rest > 0 && <Line text={trans.__('and %1 more', rest)} />}
    </details>
  );
}
