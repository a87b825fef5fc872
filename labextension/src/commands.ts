import { InputDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { DocumentWidget } from '@jupyterlab/docregistry';
import { TranslationBundle } from '@jupyterlab/translation';
import { fileUploadIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';

import { databricksIcon } from './icons';
import { Project } from './project';
import { isSource } from './source';
import { symbolOf } from './states';
import { Work } from './work';

export const SHOW = 'dbx-magic:show-panel';
export const PICK = 'dbx-magic:pick-cluster';
export const REBUILD = 'dbx-magic:rebuild-cluster';

/** What is in front, what is selected, and where things are shown. */
export interface IPlace {
  document: () => DocumentWidget | null;
  selection: () => string[];
  show: (work: Work, title: string) => void;
  openAsNotebook: (path: string) => Promise<void>;
}

/** Make the verbs commands, and give their ids; what they do is shown in the panel. */
export function addCommands(
  commands: CommandRegistry,
  project: Project,
  place: IPlace,
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

  commands.addCommand('dbx-magic:open-as-notebook', {
    label: trans.__('Open as Notebook'),
    caption: trans.__('Open Databricks source as a notebook'),
    describedBy: { args: { type: 'object', properties: {} } },
    isVisible: () => place.selection().every(isSource),
    execute: async () => {
      await Promise.all(place.selection().map(place.openAsNotebook));
    }
  });

  commands.addCommand(PICK, {
    label: args =>
      (args.label as string | undefined) ?? trans.__('Pick a Cluster…'),
    caption: trans.__('Choose the cluster that cells run on'),
    describedBy: {
      args: {
        type: 'object',
        properties: {
          cluster: {
            type: 'string',
            description: 'Its id; asked for if absent'
          },
          label: { type: 'string' },
          picked: { type: 'boolean' }
        }
      }
    },
    isEnabled: isReady,
    isToggled: args => args.picked === true,
    execute: async args => {
      const cluster =
        (args.cluster as string | undefined) ?? (await askCluster());
      if (cluster) {
        project.perform('pick', { cluster });
      }
    }
  });

  const askCluster = async (): Promise<string | undefined> => {
    await commands.execute(SHOW);
    const { rows } = await project.ask('clusters', {});
    const names = rows.map(row => `${symbolOf(row.state)} ${row.name}`);
    const { value } = await InputDialog.getItem({
      title: trans.__('Pick a Cluster'),
      items: names
    });
    return rows[names.indexOf(value ?? '')]?.cluster_id;
  };

  const save = async (): Promise<void> => {
    const context = place.document()?.context;
    if (project.settings.saveBeforePush && context?.model.dirty) {
      await context.save();
    }
  };

  return [
    add(
      REBUILD,
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
    PICK,
    add(
      'dbx-magic:push-notebooks',
      {
        label: trans.__('Push to Databricks…'),
        caption: trans.__('Show what makes the workspace equal to the project')
      },
      () => project.propose('push', {})
    ),
    add(
      'dbx-magic:push-this',
      {
        label: trans.__('Push This Notebook…'),
        caption: trans.__('Show what a push of this notebook changes'),
        icon: fileUploadIcon
      },
      async () => {
        await save();
        await project.propose('push', { paths: ['this'] });
      }
    ),
    add(
      'dbx-magic:push-selection',
      {
        label: trans.__('Push the Selected Files to Databricks…'),
        caption: trans.__('Show what a push of these files changes'),
        isEnabled: () => !project.isBusy
      },
      async () => {
        const paths = place.selection();
        if (paths.length > 0) {
          project.follow(paths[0]);
          await project.propose('push', {
            paths: paths.map(path => PathExt.basename(path))
          });
        }
      }
    ),
    add(
      'dbx-magic:run-this',
      {
        label: trans.__('Run This Notebook on the Cluster'),
        caption: trans.__(
          'Push what changed, and run this notebook on the cluster'
        ),
        icon: databricksIcon
      },
      async () => {
        const context = place.document()?.context;
        await save();
        // All of it, because a notebook runs other notebooks and imports modules.
        const push = project.perform('push', {});
        await push.finished;
        if (context && !push.error) {
          const notebook = PathExt.basename(context.localPath);
          const work = project.perform('run', { notebook });
          place.show(work, trans.__('Run of %1', notebook));
        }
      }
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
      'dbx-magic:follow-pipeline',
      {
        label: trans.__('Follow the Pipeline'),
        caption: trans.__('Show the pipeline runs of this commit, step by step')
      },
      () => project.perform('follow', {})
    ),
    add(
      'dbx-magic:commit-project',
      {
        label: trans.__('Commit the Project…'),
        caption: trans.__('Keep spec, notebooks and code as one version')
      },
      () =>
        withMessage(trans, message => project.propose('commit', { message }))
    ),
    add(
      'dbx-magic:ship-project',
      {
        label: trans.__('Ship the Project…'),
        caption: trans.__(
          'Rebuild if the spec changed, push, commit, publish, and follow'
        )
      },
      () => withMessage(trans, message => project.perform('ship', { message }))
    )
  ];
}

async function withMessage(
  trans: TranslationBundle,
  act: (message: string) => unknown
): Promise<void> {
  const { value } = await InputDialog.getText({
    title: trans.__('What changed, in a sentence')
  });
  if (value?.trim()) {
    await act(value);
  }
}
