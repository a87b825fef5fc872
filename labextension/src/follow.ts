import { JupyterFrontEnd } from '@jupyterlab/application';
import { ISessionContext } from '@jupyterlab/apputils';
import { DocumentRegistry, DocumentWidget } from '@jupyterlab/docregistry';
import { KernelMessage } from '@jupyterlab/services';
import { Widget } from '@lumino/widgets';

import { Project } from './project';

/** The document in front; a terminal or the launcher is none. */
export function documentInFront(app: JupyterFrontEnd): DocumentWidget | null {
  const widget = app.shell.currentWidget;
  return widget instanceof DocumentWidget ? widget : null;
}

/** Keep to the project of the document in front, and to what its kernel does with it. */
export function follow(app: JupyterFrontEnd, project: Project): void {
  let session: ISessionContext | null = null;
  let context: DocumentRegistry.Context | null = null;
  const refresh = (): void => project.refresh();
  const turn = (otherwise: string | null): void => {
    const document = documentInFront(app);
    const path = document?.context.localPath ?? otherwise;
    if (path !== null) {
      project.follow(path);
    }
    context?.fileChanged.disconnect(refresh);
    context = document?.context ?? null;
    context?.fileChanged.connect(refresh);
    session?.iopubMessage.disconnect(listen);
    session = sessionOf(document);
    session?.iopubMessage.connect(listen);
  };
  const listen = whenDbxHasRun(refresh);
  app.shell.currentChanged?.connect(() => turn(null));
  // Not away from what was chosen meanwhile.
  void app.restored.then(() => turn(project.path));
}

/** Call back after each cell that uses the magic, because it may have changed anything. */
function whenDbxHasRun(
  callback: () => void
): (sender: unknown, message: KernelMessage.IMessage) => void {
  let request = '';
  return (_, message) => {
    const parent = (message.parent_header as KernelMessage.IHeader).msg_id;
    if (KernelMessage.isExecuteInputMsg(message)) {
      if (message.content.code.includes('%dbx')) {
        request = parent;
      }
    } else if (KernelMessage.isStatusMsg(message)) {
      if (message.content.execution_state === 'idle' && parent === request) {
        request = '';
        callback();
      }
    }
  };
}

function sessionOf(widget: Widget | null): ISessionContext | null {
  // Of a notebook or console panel; to ask for those would bring their packages into the build.
  return (
    (widget as { sessionContext?: ISessionContext } | null)?.sessionContext ??
    null
  );
}
