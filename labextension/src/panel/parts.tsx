import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { DbxError } from '../dbx';
import { Project } from '../project';

/** What every part of the panel is given. */
export interface IPart {
  project: Project;
  trans: TranslationBundle;
}

export function Section(
  props: React.PropsWithChildren<{ title: string }>
): JSX.Element {
  return (
    <section className="jp-DbxPanel-section" aria-label={props.title}>
      <h2>{props.title}</h2>
      {props.children}
    </section>
  );
}

export function Action(props: {
  label: string;
  title?: string;
  disabled?: boolean;
  isObvious?: boolean;
  onClick: () => void;
}): JSX.Element {
  return (
    <button
      type="button"
      className={`jp-DbxPanel-action${props.isObvious ? ' jp-mod-accept' : ''}`}
      title={props.title}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      {props.label}
    </button>
  );
}

/** A diff, line by line: − as in the workspace, + as in the project. */
export function Diff(props: { lines: string[] }): JSX.Element {
  return (
    <pre className="jp-DbxPanel-diff">
      {props.lines.map((line, index) => (
        <span key={index} data-side={line[0]}>
          {line + '\n'}
        </span>
      ))}
    </pre>
  );
}

/** One sentence with its symbol; the less important rest is dimmed. */
export function Line(props: {
  text: string;
  symbol?: string;
  note?: string;
  link?: string;
}): JSX.Element {
  return (
    <div className="jp-DbxPanel-line" data-symbol={props.symbol}>
      {props.symbol && (
        <span className="jp-DbxPanel-symbol" aria-hidden="true">
          {props.symbol}
        </span>
      )}
      <span>
        {props.link ? (
          <a href={props.link} target="_blank" rel="noreferrer">
            {props.text}
          </a>
        ) : (
          props.text
        )}
        {props.note && <span className="jp-DbxPanel-note"> {props.note}</span>}
      </span>
    </div>
  );
}

export function Failure(props: { error: Error }): JSX.Element {
  const hint = props.error instanceof DbxError ? props.error.hint : '';
  return <Line symbol="✗" text={props.error.message} note={hint} />;
}

/** Something that is read when it is opened. */
export function Later<Result>(props: {
  summary: React.ReactNode;
  read: () => Promise<Result>;
  show: (result: Result) => React.ReactNode;
}): JSX.Element {
  const [shown, setShown] = React.useState<React.ReactNode>('…');
  const onToggle = (event: React.SyntheticEvent<HTMLDetailsElement>): void => {
    if (event.currentTarget.open) {
      props.read().then(
        result => setShown(props.show(result)),
        error => setShown(<Failure error={error} />)
      );
    }
  };
  return (
    <details onToggle={onToggle}>
      <summary>{props.summary}</summary>
      {shown}
    </details>
  );
}
