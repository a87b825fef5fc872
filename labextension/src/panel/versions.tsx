import * as React from 'react';

import { IVersionStatus } from '../protocol';
import { Action, IPart, Line, Section } from './parts';

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
          </div>
        </form>
      )}
      {props.children}
    </Section>
  );
}
