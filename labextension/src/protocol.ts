// Written by dbx_magic/protocol.py (`make protocol`); a test holds the two together.

export interface IArguments {
  status: Record<string, never>;
  init: { name?: string; example?: boolean; dry_run?: boolean; expect?: string };
  use: { target: string };
  clusters: Record<string, never>;
  pick: { cluster: string };
  rebuild: { dry_run?: boolean; fresh?: boolean; delete_first?: boolean; wait?: boolean; timeout?: number; expect?: string };
  start: { cluster?: string; timeout?: number };
  stop: { cluster?: string; timeout?: number };
  restart: { cluster?: string; timeout?: number };
  resize: { workers: string; cluster?: string; timeout?: number };
  delete: { cluster: string; yes?: boolean };
  pin: { cluster?: string; off?: boolean };
  events: { cluster?: string; rows?: number };
  logs: { log?: 'driver' | 'stdout' | 'stderr'; cluster?: string; rows?: number };
  libraries: { cluster?: string };
  spec: { action?: 'show' | 'from' | 'offers'; cluster?: string; dry_run?: boolean; force?: boolean };
  convert: { paths?: string[]; to?: string; into?: string; check?: boolean; stdout?: boolean; force?: boolean };
  push: { paths?: string[]; dry_run?: boolean; force?: boolean; prune?: boolean; watch?: boolean; to?: string; expect?: string };
  pull: { paths?: string[]; dry_run?: boolean; force?: boolean; to?: string; expect?: string };
  diff: { paths?: string[]; names?: boolean; to?: string };
  exec: { code: string; language?: 'python' | 'sql' | 'scala' | 'r' | 'sh'; cluster?: string; send?: string[]; output?: string; as_?: 'pandas' | 'polars' | 'arrow' | 'list' | null; rows?: number; timeout?: number; background?: boolean };
  cells: { number?: number | null; cancel?: boolean };
  spark: { cluster?: string };
  run: { notebook: string; parameter?: Record<string, string> | null; matrix?: Record<string, string> | null; as_job?: boolean; cluster?: string };
  remote: { mode: 'on' | 'off'; language?: 'python' | 'sql' | 'scala' | 'r' | null };
  track: { notebook?: string; parameter?: Record<string, string> | null; run?: string; cluster?: string };
  validate: { version?: string; cluster?: string };
  promote: { version?: string; force?: boolean; dry_run?: boolean; expect?: string };
  monitor: { name?: string; then?: 'tell' | 'retrain' | 'rollback'; cluster?: string };
  commit: { message: string; publish?: boolean; dry_run?: boolean; expect?: string };
  publish: { branch?: boolean; dry_run?: boolean; expect?: string };
  history: { name?: string; rows?: number };
  compare: { version: string; other?: string; names?: boolean };
  rollback: { version: string; message?: string; publish?: boolean; dry_run?: boolean; expect?: string };
  pipeline: { action: 'azure' | 'github' | 'gitlab' | 'check' | 'register' | 'local'; oidc?: boolean; force?: boolean; dry_run?: boolean; expect?: string };
  follow: { commit?: string; logs?: boolean };
  ship: { message: string };
  local: { action?: 'status' | 'up' | 'down' | 'env' | 'reset'; proxy?: boolean; yes?: boolean };
  demo: { name?: string };
}

export interface IResults {
  status: ({ type: 'Status'; view: ILine[] } & IStatus) | ({ type: 'NoProject'; view: ILine[] } & INoProject);
  init: ({ type: 'Initialised'; view: ILine[] } & IInitialised);
  use: ({ type: 'InUse'; view: ILine[] } & IInUse);
  clusters: ({ type: 'Clusters'; view: ILine[] } & IClusters);
  pick: ({ type: 'Cluster'; view: ILine[] } & ICluster);
  rebuild: ({ type: 'Rebuilt'; view: ILine[] } & IRebuilt);
  start: ({ type: 'Cluster'; view: ILine[] } & ICluster);
  stop: ({ type: 'Cluster'; view: ILine[] } & ICluster);
  restart: ({ type: 'Cluster'; view: ILine[] } & ICluster);
  resize: ({ type: 'Cluster'; view: ILine[] } & ICluster);
  delete: ({ type: 'Cluster'; view: ILine[] } & ICluster);
  pin: ({ type: 'Cluster'; view: ILine[] } & ICluster);
  events: ({ type: 'Events'; view: ILine[] } & IEvents);
  logs: ({ type: 'Log'; view: ILine[] } & ILog);
  libraries: ({ type: 'Libraries'; view: ILine[] } & ILibraries);
  spec: ({ type: 'SpecFile'; view: ILine[] } & ISpecFile) | ({ type: 'WorkspaceOffers'; view: ILine[] } & IWorkspaceOffers);
  convert: ({ type: 'Sources'; view: ILine[] } & ISources) | ({ type: 'Checked'; view: ILine[] } & IChecked);
  push: ({ type: 'Pushed'; view: ILine[] } & IPushed);
  pull: ({ type: 'Pulled'; view: ILine[] } & IPulled);
  diff: ({ type: 'Differences'; view: ILine[] } & IDifferences);
  exec: ({ type: 'Executed'; view: ILine[] } & IExecuted) | ({ type: 'Begun'; view: ILine[] } & IBegun);
  cells: ({ type: 'Cells'; view: ILine[] } & ICells);
  spark: ({ type: 'Connected'; view: ILine[] } & IConnected);
  run: ({ type: 'Ran'; view: ILine[] } & IRan) | ({ type: 'Matrix'; view: ILine[] } & IMatrix);
  remote: ({ type: 'RemoteMode'; view: ILine[] } & IRemoteMode);
  track: ({ type: 'Tracked'; view: ILine[] } & ITracked);
  validate: ({ type: 'Validated'; view: ILine[] } & IValidated);
  promote: ({ type: 'Promoted'; view: ILine[] } & IPromoted);
  monitor: ({ type: 'Monitored'; view: ILine[] } & IMonitored);
  commit: ({ type: 'Committed'; view: ILine[] } & ICommitted);
  publish: ({ type: 'Published'; view: ILine[] } & IPublished);
  history: ({ type: 'History'; view: ILine[] } & IHistory);
  compare: ({ type: 'Compared'; view: ILine[] } & ICompared);
  rollback: ({ type: 'RolledBack'; view: ILine[] } & IRolledBack);
  pipeline: ({ type: 'PipelineFiles'; view: ILine[] } & IPipelineFiles) | ({ type: 'Checked'; view: ILine[] } & IChecked) | ({ type: 'Registered'; view: ILine[] } & IRegistered) | ({ type: 'LocalRunner'; view: ILine[] } & ILocalRunner);
  follow: ({ type: 'Followed'; view: ILine[] } & IFollowed);
  ship: ({ type: 'Shipped'; view: ILine[] } & IShipped);
  local: ({ type: 'LocalWorkspace'; view: ILine[] } & ILocalWorkspace) | ({ type: 'ShellVariables'; view: ILine[] } & IShellVariables);
  demo: ({ type: 'Demonstrated'; view: ILine[] } & IDemonstrated);
}

export const VERBS = ['status', 'init', 'use', 'clusters', 'pick', 'rebuild', 'start', 'stop', 'restart', 'resize', 'delete', 'pin', 'events', 'logs', 'libraries', 'spec', 'convert', 'push', 'pull', 'diff', 'exec', 'cells', 'spark', 'run', 'remote', 'track', 'validate', 'promote', 'monitor', 'commit', 'publish', 'history', 'compare', 'rollback', 'pipeline', 'follow', 'ship', 'local', 'demo'] as const;

export type Verb = (typeof VERBS)[number];

export const LASTING: readonly Verb[] = ['rebuild', 'push', 'pull', 'run', 'track', 'monitor', 'commit', 'publish', 'rollback', 'pipeline', 'ship'];

export type Event =
  | ({ event: 'Note' } & INote)
  | ({ event: 'Progress' } & IProgress)
  | { event: 'Planned'; plan: IPlan }
  | ({ event: 'Shown'; kind: 'Stream' } & IStream)
  | ({ event: 'Shown'; kind: 'Display' } & IDisplay)
  | ({ event: 'Shown'; kind: 'Clear' } & IClear)
  | ({ event: 'Shown'; kind: 'Failure' } & IFailure)
  ;

export interface IError {
  type: string;
  message: string;
  hint: string;
}

export interface ILine {
  text: string;
  symbol: '' | '●' | '◐' | '○' | '✓' | '✗' | '~' | '+' | '−' | '!';
  note: string;
  link: string;
  indent: number;
}

export interface IClusterStatus {
  name: string;
  cluster_id: string;
  state: string;
  runtime: string;
  size: string;
  differs: string[];
  commit: string;
}

export interface INotebookStatus {
  root: string;
  differ: string[];
  equal: number;
  by_hand: string[];
}

export interface IVersionStatus {
  branch: string;
  commit: string;
  changed: string[];
  unpublished: number | null;
}

export interface IDeployed {
  commit: string;
  user: string;
  ago: number;
  clean: boolean;
  behind: number | null;
}

export interface IStatus {
  project: string;
  target: string;
  host: string;
  user: string;
  cluster: IClusterStatus | null;
  notebooks: INotebookStatus | null;
  version: IVersionStatus | null;
  troubles: Record<string, string>;
  deployed: IDeployed | null;
}

export interface INoProject {
  folder: string;
  target: string;
  cluster: null;
}

export interface IInitialised {
  root: string;
  made: string[];
  kept: string[];
  dry_run: boolean;
}

export interface IInUse {
  target: string;
  host: string;
  user: string;
}

export interface IClusterRow {
  name: string;
  cluster_id: string;
  state: string;
  seconds: number | null;
  runtime: string;
  size: string;
  creator: string;
  stops: string;
  picked: boolean;
  equal: boolean | null;
}

export interface IClusters {
  rows: IClusterRow[];
  workspace: string;
}

export interface ICluster {
  name: string;
  cluster_id: string;
  state: string;
  what: string;
  note: string;
}

export interface IRebuilt {
  cluster: string;
  cluster_id: string;
  changed: boolean;
  ready: boolean;
  seconds: number;
  dry_run: boolean;
}

export interface IHappened {
  ago: number;
  what: string;
  details: string;
}

export interface IEvents {
  cluster: string;
  events: IHappened[];
}

export interface ILog {
  path: string;
  lines: string[];
}

export interface ILibraryStatus {
  library: string;
  status: string;
  message: string;
}

export interface ILibraries {
  cluster: string;
  libraries: ILibraryStatus[];
}

export interface ISpecFile {
  path: string;
  text: string;
  written: boolean;
  difference: string[];
  remark: string;
}

export interface IOffered {
  field: string;
  value: string;
  about: string;
}

export interface IWorkspaceOffers {
  offered: IOffered[];
}

export interface ISources {
  written: string[];
  removed: string[];
  unchanged: number;
  seconds: number;
  into: string;
}

export interface IStale {
  path: string;
  lines: string[];
}

export interface IChecked {
  stale: IStale[];
  unchanged: number;
}

export interface IPushed {
  root: string;
  sent: string[];
  removed: string[];
  unchanged: number;
  left: string[];
  size: number;
  backup: string;
  dry_run: boolean;
  seconds: number;
}

export interface ICame {
  path: string;
  file: string;
  done: string;
  cells: number[];
  why: string;
}

export interface IPulled {
  root: string;
  taken: string[];
  merged: string[];
  removed: string[];
  unchanged: number;
  unsettled: ICame[];
  backup: string;
  dry_run: boolean;
  seconds: number;
}

export interface IObjectDiff {
  path: string;
  here: string;
  there: string;
  lines: string[];
}

export interface IDifferences {
  root: string;
  objects: IObjectDiff[];
  equal: number;
}

export interface IExecuted {
  cluster: string;
  seconds: number;
  brought: string;
}

export interface IBegun {
  number: number;
  cluster: string;
}

export interface ICell {
  number: number;
  status: string;
  cluster: string;
  seconds: number;
  code: string;
}

export interface ICells {
  cells: ICell[];
}

export interface IConnected {
  cluster: string;
  version: string;
  seconds: number;
}

export interface IRan {
  notebook: string;
  run_id: number;
  value: string;
  seconds: number;
  link: string;
  job_id: number;
}

export interface ITried {
  parameters: Record<string, string>;
  run_id: number;
  value: string;
  error: string;
  seconds: number;
  link: string;
}

export interface IMatrix {
  notebook: string;
  runs: ITried[];
  seconds: number;
}

export interface IRemoteMode {
  cluster: string;
  language: string;
}

export interface ITracked {
  run_id: string;
  model: string;
  version: string;
  commit: string;
  dirty: boolean;
  data: Record<string, string>;
  params: Record<string, string>;
  metrics: Record<string, number>;
}

export interface ICheck {
  subject: string;
  rule: string;
  passed: boolean;
  found: string;
}

export interface IValidated {
  model: string;
  version: string;
  checks: ICheck[];
}

export interface IPromoted {
  model: string;
  version: string;
  before: string;
  dry_run: boolean;
}

export interface IMonitor {
  time: string;
  window: string;
  baseline: string;
  violations: number;
  of: number;
  drift: Record<string, number>;
}

export interface IViolation {
  column: string;
  metric: string;
  value: number;
  limit: number;
}

export interface IJudgedWindow {
  start: string;
  violations: IViolation[];
}

export interface IWatched {
  name: string;
  source: string;
  monitor: IMonitor;
  added: number;
  windows: IJudgedWindow[];
  drifted: boolean;
}

export interface IMonitored {
  data: IWatched[];
  tracked: ITracked | null;
  validated: IValidated | null;
  promoted: IPromoted | null;
}

export interface ICommittedFile {
  path: string;
  symbol: '+' | '~' | '−';
}

export interface IReview {
  branch: string;
  request: string;
  link: string;
  was_open: boolean;
}

export interface IPublished {
  remote: string;
  branch: string;
  commit: string;
  commits: string[];
  theirs: number;
  review: IReview | null;
  said: string;
  dry_run: boolean;
}

export interface ICommitted {
  commit: string;
  branch: string;
  message: string;
  files: ICommittedFile[];
  spec: string;
  published: IPublished | null;
  dry_run: boolean;
}

export interface IVersion {
  commit: string;
  ago: number;
  who: string;
  message: string;
  changed: string[];
  where: string[];
  model: string;
}

export interface IHistory {
  versions: IVersion[];
  of: string;
}

export interface IFileDiff {
  path: string;
  symbol: '+' | '~' | '−';
  lines: string[];
}

export interface ICompared {
  version: string;
  other: string;
  files: IFileDiff[];
  tracked: string[];
}

export interface IRolledBack {
  commit: string;
  version: string;
  files: string[];
  kept: string;
  published: IPublished | null;
  dry_run: boolean;
}

export interface IPipelineFiles {
  forge: 'azure' | 'github' | 'gitlab';
  targets: string[];
  written: string[];
  unchanged: string[];
  next: string;
  dry_run: boolean;
}

export interface IRegistered {
  project: string;
  made: string[];
  kept: string[];
  left: string[];
  dry_run: boolean;
}

export interface ILocalRunner {
  folder: string;
  files: string[];
}

export interface IStepRun {
  name: string;
  stage: string;
  state: 'queued' | 'running' | 'succeeded' | 'failed' | 'canceled' | 'skipped' | 'superseded' | 'interrupted';
  seconds: number;
  log: string;
}

export interface IPipelineRun {
  number: number;
  pipeline: string;
  commit: string;
  branch: string;
  state: 'queued' | 'running' | 'succeeded' | 'failed' | 'canceled' | 'skipped' | 'superseded' | 'interrupted';
  reason: string;
  steps: IStepRun[];
  link: string;
}

export interface IFollowed {
  commit: string;
  runs: IPipelineRun[];
  ends: string[];
}

export interface IShipped {
  rebuilt: IRebuilt | null;
  pushed: IPushed;
  committed: ICommitted;
  followed: IFollowed | null;
}

export interface ILocalWorkspace {
  url: string;
  home: string;
  pid: number | null;
  clusters: string[];
  memory: number;
  disk: number;
}

export interface IShellVariables {
  lines: string[];
}

export interface IDemonstrated {
  folder: string;
  cluster: string;
  place: string;
  commit: string;
  versions: IHistory;
  seconds: number;
  command: string;
}

export interface INote {
  text: string;
  symbol: string;
}

export interface IProgress {
  subject: string;
  state: string;
  elapsed: number;
  expected: number | null;
  done: number | null;
  total: number | null;
  unit: string;
  link: string;
}

export interface IChange {
  symbol: '+' | '~' | '−' | '!';
  subject: string;
  before: string;
  after: string;
  reason: string;
  lines: string[];
}

export interface IPlan {
  title: string;
  fingerprint: string;
  changes: IChange[];
}

export interface IStream {
  name: 'stdout' | 'stderr';
  text: string;
}

export interface IDisplay {
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
  display_id: string;
  updates: boolean;
}

export interface IClear {
  wait: boolean;
}

export interface IFailure {
  name: string;
  value: string;
  traceback: string[];
}
