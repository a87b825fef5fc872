import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { DocumentWidget } from '@jupyterlab/docregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Dbx } from './dbx';
import { StatusItem } from './status';
import { IDbx } from './tokens';

export { IDbx } from './tokens';

const dbx: JupyterFrontEndPlugin<IDbx> = {
  id: 'dbx-magic:dbx',
  description: 'Carries out the verbs of dbx_magic for other plugins.',
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
    const item = new StatusItem(
      dbx,
      (translator ?? nullTranslator).load('dbx_magic')
    );
    const follow = (): void => {
      const widget = app.shell.currentWidget;
      if (widget instanceof DocumentWidget) {
        void item.refresh(widget.context.localPath);
      }
    };
    app.shell.currentChanged?.connect(follow);
    void app.restored.then(follow);
    statusBar.registerStatusItem(status.id, {
      item,
      align: 'left',
      rank: 100
    });
  }
};

export default [dbx, status];
