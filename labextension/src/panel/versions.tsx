import * as React from 'react';

import { IVersionStatus } from '../protocol';
import { Action, IPart, Later, Line, Section } from './parts';

const MOST_VERSIONS = 10;

/** What git says, and a message to commit with. */
export function Versions(
  props: React.PropsWithChildren<IPart & { version: IVersionStatus }>
): JSX.Element {
  const { project, trans, version } = props;
  const [message, setMessage] = React.useState('');
  const commit = async (): Promise<void> => {
    await project.propose('commit', { message });
  };
  const count = version.changed.length;
  return (
    <Section title={trans.__('Versions')}>
      <Line
        text={
          version.commit
            ? trans.__('%1 at %2', version.branch, version.commit)
            : trans.__('no commit yet')
        }
        note={[
          count > 0 &&
            trans._n('%1 file not committed', '%1 files not committed', count),
          version.unpublished &&
            trans._n(
              '%1 commit not published',
              '%1 commits not published',
              version.unpublished
            )
        ]
          .filter(Boolean)
          .join(' · ')}
      />
      {count > 0 && (
        <form
          onSubmit={event => {
            event.preventDefault();
            void commit();
          }}
        >
          <input
            className="jp-mod-styled"
            type="text"
            placeholder={trans.__('What changed, in a sentence')}
            aria-label={trans.__('Message of the commit')}
            value={message}
            onChange={event => setMessage(event.target.value)}
          />
          <div className="jp-DbxPanel-actions">
            <Action
              disabled={project.isBusy || message.trim() === ''}
              label={trans.__('Commit…')}
              onClick={() => void commit()}
            />
            <Action
              disabled={project.isBusy || message.trim() === ''}
              label={trans.__('Ship')}
              title={trans.__(
                'Rebuild if the spec changed, push, commit, publish, and follow'
              )}
              onClick={() => void project.perform('ship', { message })}
            />
          </div>
        </form>
      )}
      {version.commit !== '' && (
        <div className="jp-DbxPanel-actions">
          <Action
            isObvious={(version.unpublished ?? 0) > 0}
            disabled={project.isBusy}
            label={trans.__('Publish…')}
            title={trans.__('To the remote, where the pipelines pick it up')}
            onClick={() => void project.propose('publish', {})}
          />
          <Action
            disabled={project.isBusy}
            label={trans.__('Follow')}
            title={trans.__('Show the pipeline runs of this commit')}
            onClick={() => void project.perform('follow', {})}
          />
        </div>
      )}
      {props.children}
      {version.commit !== '' && <Earlier {...props} />}
    </Section>
  );
}

/** The last versions, each with a way back to it. */
function Earlier(props: IPart): JSX.Element {
  const { project, trans } = props;
  return (
    <Later
      summary={trans.__('Earlier versions')}
      read={() => project.ask('history', { rows: MOST_VERSIONS })}
      show={history =>
        history.versions.map((version, index) => (
          <div key={version.commit} className="jp-DbxPanel-row">
            <Line
              text={version.message}
              note={[version.commit.slice(0, 7), version.who, ...version.where]
                .filter(Boolean)
                .join(' · ')}
            />
            {index > 0 && (
              <Action
                label={trans.__('Go back…')}
                title={trans.__('Make it the newest version again')}
                onClick={() =>
                  void project.propose('rollback', { version: version.commit })
                }
              />
            )}
          </div>
        ))
      }
    />
  );
}
