import * as React from 'react';

import { IObjectDiff } from '../protocol';
import { symbolOfDifference } from '../states';
import { Action, Diff, Failure, IPart, Later, Line, Section } from './parts';

const MOST_OBJECTS = 50;

/** What differs from the workspace, each with its lines; Push and Pull. */
export function Notebooks(props: React.PropsWithChildren<IPart>): JSX.Element {
  const { project, trans } = props;
  const { differences } = project;
  const found = Array.isArray(differences) ? differences : [];
  const rest = found.length - MOST_OBJECTS;
  return (
    <Section title={trans.__('Notebooks')}>
      {differences instanceof Error && <Failure error={differences} />}
      {Array.isArray(differences) && found.length === 0 && (
        <Line symbol="✓" text={trans.__('equal to the workspace')} />
      )}
      {found.slice(0, MOST_OBJECTS).map(one => (
        <Difference key={one.path} {...props} one={one} />
      ))}
      {rest > 0 && <Line text={trans.__('and %1 more', rest)} />}
      <div className="jp-DbxPanel-actions">
        <Action
          isObvious={found.some(one => one.here !== '')}
          disabled={project.isBusy}
          label={trans.__('Push…')}
          title={trans.__('Make the workspace equal to the project')}
          onClick={() => void project.propose('push', {})}
        />
        <Action
          disabled={project.isBusy}
          label={trans.__('Pull…')}
          title={trans.__('Take over what was edited in the workspace')}
          onClick={() => void project.propose('pull', {})}
        />
      </div>
      {props.children}
    </Section>
  );
}

function Difference(props: IPart & { one: IObjectDiff }): JSX.Element {
  const { one, project, trans } = props;
  const sides = [
    one.here && trans.__('%1 here', one.here),
    one.there && trans.__('%1 in the workspace', one.there)
  ];
  return (
    <Later
      summary={
        <Line
          symbol={symbolOfDifference(one)}
          text={one.path}
          note={sides.filter(Boolean).join(', ')}
        />
      }
      read={() => project.ask('diff', { paths: [one.path] })}
      show={found => (
        <Diff lines={found.objects.flatMap(object => object.lines)} />
      )}
    />
  );
}
