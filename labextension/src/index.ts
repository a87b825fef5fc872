import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addCommands, IPlace, SHOW } from './commands';
import { Dbx } from './dbx';
import { documentInFront, follow } from './follow';
import { showOutputs } from './outputs';
import { Panel } from './panel/panel';
import { Project } from './project';
import { StatusItem } from './status';
import { IDbx } from './tokens';

export { IDbx } from './tokens';

const dbx: JupyterFrontEndPlugin<IDbx> = {
  id: 'dbx-magic:dbx',
  description: 'Performs the verbs of dbx_magic for other plugins.',
  autoStart: true,
  provides: IDbx,
  activate: (app: JupyterFrontEnd): IDbx =>
    new Dbx(app.serviceManager.serverSettings)
};

const panel: JupyterFrontEndPlugin<void> = {
  id: 'dbx-magic:panel',
  description: 'The Databricks sidebar, status bar item and commands.',
  autoStart: true,
  requires: [IDbx],
  optional: [
    ICommandPalette,
    IFileBrowserFactory,
    ILayoutRestorer,
    IRenderMimeRegistry,
    IStatusBar,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    dbx: IDbx,
    palette: ICommandPalette | null,
    browsers: IFileBrowserFactory | null,
    restorer: ILayoutRestorer | null,
    rendermime: IRenderMimeRegistry | null,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('dbx_magic');
    const project = new Project(dbx);
    follow(app, project);

    const panel = new Panel(project, trans);
    app.shell.add(panel, 'left', { rank: 550 });
    restorer?.add(panel, panel.id);

    app.commands.addCommand(SHOW, {
      label: trans.__('Show the Databricks Panel'),
      caption: trans.__('Cluster, notebooks and versions of this project'),
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.shell.activateById(panel.id)
    });
    const place: IPlace = {
      document: () => documentInFront(app),
      selection: () =>
        Array.from(
          browsers?.tracker.currentWidget?.selectedItems() ?? [],
          item => app.serviceManager.contents.localPath(item.path)
        ),
      show: (work, title) => {
        if (rendermime) {
          const outputs = showOutputs(work, title, rendermime);
          app.shell.add(outputs, 'down');
          app.shell.activateById(outputs.id);
        }
      }
    };
    const commands = addCommands(app.commands, project, place, trans);
    for (const command of [SHOW, ...commands]) {
      palette?.addItem({ command, category: trans.__('Databricks') });
    }
    statusBar?.registerStatusItem(panel.id, {
      item: new StatusItem(project, trans, () => {
        project.refresh();
        void app.commands.execute(SHOW);
      }),
      align: 'left',
      rank: 100
    });

    // Who looks at the panel sees the end there.
    project.ended.connect((_, { error, result }) => {
      if (panel.isVisible) {
        return;
      }
      if (error) {
        Notification.error(error.message);
      } else {
        const words = result?.view.map(line => `${line.text} ${line.note}`);
        Notification.success(words?.[0] ?? trans.__('Done'));
      }
    });
  }
};

export default [dbx, panel];
