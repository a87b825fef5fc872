import * as React from 'react';

import { IPlan, IProgress, Verb } from '../protocol';
import { Work } from '../work';
import { Action, Diff, Failure, IPart, Line } from './parts';

const MOST_CHANGES = 50;

/** A verb: its progress with Stop, its plan with Apply, or how it ended. */
export function Doing(props: IPart & { work: Work }): JSX.Element {
  const { project, trans, work } = props;
  const isProposal = work.isDone && !work.error && work.isTrial;
  return (
    <div className="jp-DbxPanel-doing" role="status">
      {work.notes.map((note, index) => (
        <Line key={index} symbol={note.symbol} text={note.text} />
      ))}
      {work.plan && !(work.isDone && !isProposal) && (
        <Plan {...props} plan={work.plan} />
      )}
      {[...work.progress.values()].map(progress => (
        <Progress key={progress.subject} progress={progress} />
      ))}
      {work.error && <Failure error={work.error} />}
      {!isProposal &&
        work.result?.view.map((line, index) => <Line key={index} {...line} />)}
      <div className="jp-DbxPanel-actions">
        {!work.isDone && (
          <Action label={trans.__('Stop')} onClick={() => project.stop()} />
        )}
        {isProposal && work.plan && (
          <Answers {...props} verb={work.verb} plan={work.plan} />
        )}
        {work.isDone && (
          <Action
            label={isProposal ? trans.__('Cancel') : trans.__('Dismiss')}
            onClick={() => project.forget()}
          />
        )}
      </div>
    </div>
  );
}

function Plan(props: IPart & { plan: IPlan }): JSX.Element {
  const { changes, title } = props.plan;
  const rest = changes.length - MOST_CHANGES;
  return (
    <div>
      <Line text={title} />
      {changes.slice(0, MOST_CHANGES).map((change, index) => (
        <React.Fragment key={index}>
          <Line
            symbol={change.symbol}
            text={change.subject}
            note={[
              [change.before, change.after].filter(Boolean).join(' → '),
              change.reason
            ]
              .filter(Boolean)
              .join(' · ')}
          />
          {change.lines.length > 0 && <Diff lines={change.lines} />}
        </React.Fragment>
      ))}
      {rest > 0 && <Line text={props.trans.__('and %1 more', rest)} />}
    </div>
  );
}

/** The ways to go on from a plan: apply exactly it, or overwrite what is in conflict. */
function Answers(props: IPart & { verb: Verb; plan: IPlan }): JSX.Element {
  const { project, trans } = props;
  const isConflict =
    props.verb === 'push' &&
    props.plan.changes.some(change => change.symbol === '!');
  return isConflict ? (
    <>
      <Action
        isObvious
        label={trans.__('Pull…')}
        title={trans.__('Merge here what was edited in the workspace')}
        onClick={() => void project.propose('pull', {})}
      />
      <Action
        label={trans.__('Overwrite…')}
        title={trans.__('Shows a new plan; a backup is kept')}
        onClick={() => void project.propose('push', { force: true })}
      />
    </>
  ) : (
    <Action
      isObvious
      label={trans.__('Apply')}
      onClick={() => project.apply()}
    />
  );
}

function Progress(props: { progress: IProgress }): JSX.Element {
  const { subject, state, elapsed, expected, done, total, unit } =
    props.progress;
  const share = total
    ? (done ?? 0) / total
    : expected
      ? Math.min(0.99, elapsed / expected)
      : undefined;
  const count = total ? `${done ?? 0} / ${total} ${unit}` : '';
  const time = elapsed >= 1 ? clock(elapsed) : '';
  return (
    <div>
      <Line
        symbol="◐"
        text={subject}
        note={[state, count, time].filter(Boolean).join(' · ')}
      />
      <progress aria-label={subject} value={share} />
    </div>
  );
}

/** Minutes and seconds: 2:41. */
function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
