import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { DocumentWidget } from '@jupyterlab/docregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Dbx } from './dbx';
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

const status: JupyterFrontEndPlugin<void> = {
  id: 'dbx-magic:status',
  description: 'Shows the target and the picked cluster in the status bar.',
  autoStart: true,
  requires: [IDbx],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    dbx: IDbx,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ): void => {
    if (!statusBar) {
      return;
    }
    const project = new Project(dbx);
    const documentInFront = (): string | null => {
      const widget = app.shell.currentWidget;
      return widget instanceof DocumentWidget ? widget.context.localPath : null;
    };
    app.shell.currentChanged?.connect(() => {
      // A terminal or the launcher belongs to no project: the last one stays.
      const path = documentInFront();
      if (path !== null) {
        project.follow(path);
      }
    });
    void app.restored.then(() => project.follow(documentInFront() ?? ''));
    statusBar.registerStatusItem(status.id, {
      item: new StatusItem(
        project,
        (translator ?? nullTranslator).load('dbx_magic')
      ),
      align: 'left',
      rank: 100
    });
  }
};

export default [dbx, status];
