import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import { Message } from '@lumino/messaging';
import * as React from 'react';

import { databricksIcon } from '../icons';
import { Project } from '../project';
import { IResults, Verb } from '../protocol';
import { Clusters } from './clusters';
import { Doing } from './doing';
import { Notebooks } from './notebooks';
import { Action, Failure, IPart, Line, Section } from './parts';
import { Versions } from './versions';

/** The sidebar: where the project stands, and the one obvious thing to do about each part. */
export class Panel extends ReactWidget {
  constructor(
    private readonly project: Project,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.id = 'dbx-magic-panel';
    this.addClass('jp-DbxPanel');
    this.title.icon = databricksIcon;
    this.title.caption = trans.__('Databricks');
    project.addViewer(this, 'clusters', 'differences');
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.project.refresh();
  }

  protected onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node.querySelector<HTMLElement>('button, input')?.focus();
  }

  protected render(): JSX.Element {
    const { project, trans } = this;
    return (
      <UseSignal signal={project.changed}>
        {() => <Content project={project} trans={trans} />}
      </UseSignal>
    );
  }
}

function Content(props: IPart): JSX.Element {
  const { project, trans } = props;
  const { status, error } = project;
  if (error) {
    return (
      <>
        <Failure error={error} />
        <div className="jp-DbxPanel-actions">
          <Action
            label={trans.__('Try again')}
            onClick={() => project.refresh()}
          />
        </div>
      </>
    );
  }
  if (!status) {
    return <Line symbol="◐" text={trans.__('looking …')} />;
  }
  return status.type === 'NoProject' ? (
    <NoProject {...props} folder={status.folder} />
  ) : (
    <Standing {...props} status={status} />
  );
}

function NoProject(props: IPart & { folder: string }): JSX.Element {
  const { project, trans } = props;
  return (
    <Section title={trans.__('No project here')}>
      <Line text={props.folder} />
      <div className="jp-DbxPanel-actions">
        <Action
          isObvious
          disabled={project.isBusy}
          label={trans.__('Make a project here')}
          onClick={() => void project.perform('init', {})}
        />
      </div>
      <DoingOf {...props} verbs={['init']} />
    </Section>
  );
}

function Standing(
  props: IPart & { status: Extract<IResults['status'], { type: 'Status' }> }
): JSX.Element {
  const { status, trans } = props;
  return (
    <>
      <Section title={status.project}>
        <Line
          text={trans.__('%1 · %2', status.target, status.host)}
          note={trans.__('as %1', status.user)}
        />
        {Object.entries(status.troubles).map(([part, trouble]) => (
          <Line key={part} symbol="!" text={trouble} />
        ))}
      </Section>
      <Clusters {...props} picked={status.cluster}>
        <DoingOf {...props} verbs={['rebuild', 'start', 'stop', 'pick']} />
      </Clusters>
      <Notebooks {...props}>
        <DoingOf {...props} verbs={['push', 'pull', 'convert', 'run']} />
      </Notebooks>
      {status.version && (
        <Versions
          {...props}
          key={status.version.commit}
          version={status.version}
        >
          <DoingOf
            {...props}
            verbs={['commit', 'publish', 'rollback', 'follow', 'ship']}
          />
        </Versions>
      )}
    </>
  );
}

/** The verb last begun, where it belongs. */
function DoingOf(
  props: IPart & { verbs: readonly Verb[] }
): JSX.Element | null {
  const { work } = props.project;
  return work && props.verbs.includes(work.verb) ? (
    <Doing {...props} work={work} />
  ) : null;
}
