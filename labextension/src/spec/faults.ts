import { TranslationBundle } from '@jupyterlab/translation';
import { DocumentWidget } from '@jupyterlab/docregistry';
import { Widget } from '@lumino/widgets';

import { DbxError, drive } from '../dbx';
import { IDbx } from '../tokens';

/** Tell above a cluster spec what is wrong with it, as it was last saved. */
export function showFaults(
  document: DocumentWidget,
  dbx: IDbx,
  trans: TranslationBundle
): Widget {
  const { context } = document;
  const fault = new Widget();
  fault.addClass('jp-DbxFault');
  fault.node.setAttribute('role', 'alert');
  fault.node.setAttribute('aria-label', trans.__('Fault in the cluster spec'));
  fault.hide();
  document.contentHeader.addWidget(fault);
  const check = async (): Promise<void> => {
    const error = await drive(dbx.perform('spec', {}, context.localPath)).then(
      () => null,
      (error: Error) => error
    );
    const hint = error instanceof DbxError ? error.hint : '';
    fault.node.textContent = error ? `✗ ${error.message} ${hint}` : '';
    fault.setHidden(error === null);
  };
  context.fileChanged.connect(() => void check());
  void context.ready.then(check);
  return fault;
}
