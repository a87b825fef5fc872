import { InputDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { fileUploadIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';

import { Project } from './project';
import { symbolOf } from './states';

export const SHOW = 'dbx-magic:show-panel';

/** Make the verbs commands, and give their ids; what they do is shown in the panel. */
export function addCommands(
  commands: CommandRegistry,
  project: Project,
  trans: TranslationBundle
): string[] {
  const isReady = (): boolean =>
    project.status?.type === 'Status' && !project.isBusy;
  let wasReady = false;
  project.changed.connect(() => {
    if (wasReady !== isReady()) {
      wasReady = !wasReady;
      commands.notifyCommandChanged();
    }
  });

  const add = (
    id: string,
    options: Partial<CommandRegistry.ICommandOptions>,
    execute: () => unknown
  ): string => {
    commands.addCommand(id, {
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: isReady,
      ...options,
      execute: async () => {
        await commands.execute(SHOW);
        await execute();
      }
    });
    return id;
  };

  return [
    add(
      'dbx-magic:rebuild-cluster',
      {
        label: trans.__('Rebuild the Cluster…'),
        caption: trans.__('Show what makes the cluster equal to its spec')
      },
      () => project.propose('rebuild', {})
    ),
    add(
      'dbx-magic:start-cluster',
      {
        label: trans.__('Start the Cluster'),
        caption: trans.__('Start the picked cluster')
      },
      () => project.perform('start', {})
    ),
    add(
      'dbx-magic:stop-cluster',
      {
        label: trans.__('Stop the Cluster'),
        caption: trans.__('Stop the picked cluster; what it holds is lost')
      },
      () => project.perform('stop', {})
    ),
    add(
      'dbx-magic:pick-cluster',
      {
        label: trans.__('Pick a Cluster…'),
        caption: trans.__('Choose the cluster that cells run on')
      },
      async () => {
        const { rows } = await project.ask('clusters', {});
        const names = rows.map(row => `${symbolOf(row.state)} ${row.name}`);
        const { value } = await InputDialog.getItem({
          title: trans.__('Pick a Cluster'),
          items: names
        });
        const row = rows[names.indexOf(value ?? '')];
        if (row) {
          project.perform('pick', { cluster: row.cluster_id });
        }
      }
    ),
    add(
      'dbx-magic:push-notebooks',
      {
        label: trans.__('Push to Databricks…'),
        caption: trans.__('Show what makes the workspace equal to the project'),
        icon: fileUploadIcon
      },
      () => project.propose('push', {})
    ),
    add(
      'dbx-magic:pull-notebooks',
      {
        label: trans.__('Pull from Databricks…'),
        caption: trans.__('Show what was edited in the workspace')
      },
      () => project.propose('pull', {})
    ),
    add(
      'dbx-magic:publish-commits',
      {
        label: trans.__('Publish the Commits…'),
        caption: trans.__('Show what goes to the remote and its pipelines')
      },
      () => project.propose('publish', {})
    ),
    add(
      'dbx-magic:commit-project',
      {
        label: trans.__('Commit the Project…'),
        caption: trans.__('Keep spec, notebooks and code as one version')
      },
      async () => {
        const { value } = await InputDialog.getText({
          title: trans.__('What changed, in a sentence')
        });
        if (value?.trim()) {
          await project.propose('commit', { message: value });
        }
      }
    )
  ];
}
