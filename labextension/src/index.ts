import {
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  ICommandPalette,
  ISessionContext,
  IToolbarWidgetRegistry
} from '@jupyterlab/apputils';
import { ICompletionProviderManager } from '@jupyterlab/completer';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { Badges } from './badges';
import { eachBrowser } from './browsers';
import { addCommands, IPlace, SHOW } from './commands';
import { Dbx } from './dbx';
import { documentInFront, follow } from './follow';
import { showOutputs } from './outputs';
import { Panel } from './panel/panel';
import { tellEnds } from './notify';
import { Project } from './project';
import { quickPick } from './quickpick';
import { RemoteMode } from './remote';
import { useSettings } from './settings';
import { isSpec, SpecCompletion } from './spec/completion';
import { editSpecs } from './spec/editor';
import { showFaults } from './spec/faults';
import { openAsNotebook } from './source';
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
    ISettingRegistry,
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
    settings: ISettingRegistry | null,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('dbx_magic');
    const project = new Project(dbx);
    void follow(app, project, browsers);

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
      },
      openAsNotebook: async path => {
        await openAsNotebook(app, project, path);
        if (project.work?.error) {
          await app.commands.execute(SHOW);
        }
      }
    };
    const commands = addCommands(app.commands, project, place, trans);
    for (const command of [SHOW, ...commands]) {
      palette?.addItem({ command, category: trans.__('Databricks') });
    }
    statusBar?.registerStatusItem(panel.id, {
      item: new StatusItem(
        project,
        trans,
        item => void quickPick(app.commands, project, item)
      ),
      align: 'left',
      rank: 100
    });

    eachBrowser(browsers, browser => void new Badges(browser, project));
    if (settings) {
      void useSettings(settings, 'dbx-magic:panel', found => {
        project.settings = found;
      });
    }
    tellEnds(project, trans, {
      isVisible: () => panel.isVisible && !document.hidden,
      show: () => app.commands.execute(SHOW)
    });
  }
};

const spec: JupyterFrontEndPlugin<void> = {
  id: 'dbx-magic:spec',
  description: 'Completes and checks a cluster spec in the editor.',
  autoStart: true,
  requires: [IDbx],
  optional: [ICompletionProviderManager, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    dbx: IDbx,
    completion: ICompletionProviderManager | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('dbx_magic');
    completion?.registerProvider(new SpecCompletion(dbx));
    app.docRegistry.addWidgetExtension('Editor', {
      createNew: editor => {
        if (isSpec(editor)) {
          return showFaults(editor, dbx, trans);
        }
      }
    });
    editSpecs(app, trans, spec => void showFaults(spec, dbx, trans));
  }
};

const remote: JupyterFrontEndPlugin<void> = {
  id: 'dbx-magic:remote',
  description: "Shows and changes where a notebook's cells run.",
  autoStart: true,
  requires: [IToolbarWidgetRegistry],
  optional: [ITranslator],
  activate: (
    _: JupyterFrontEnd,
    toolbars: IToolbarWidgetRegistry,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('dbx_magic');
    toolbars.addFactory<Widget & { sessionContext: ISessionContext }>(
      'Notebook',
      'dbx-remote',
      notebook => new RemoteMode(notebook.sessionContext, trans)
    );
  }
};

export default [dbx, panel, spec, remote];
