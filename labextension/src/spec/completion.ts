import {
  CompletionHandler,
  ICompletionContext,
  ICompletionProvider
} from '@jupyterlab/completer';
import { PathExt } from '@jupyterlab/coreutils';
import { DocumentWidget } from '@jupyterlab/docregistry';
import { Widget } from '@lumino/widgets';

import { IDbx } from '../tokens';
import { Offered } from './offered';
import { isOffered, offersAt } from './offers';

/** Whether a document is a cluster spec. */
export function isSpec(widget: Widget): widget is DocumentWidget {
  return (
    widget instanceof DocumentWidget &&
    PathExt.basename(widget.context.localPath) === 'config.cluster.json'
  );
}

/** Completes the fields of a cluster spec, and those values that are known or offered. */
export class SpecCompletion implements ICompletionProvider {
  constructor(dbx: IDbx) {
    this.offered = new Offered(dbx);
  }

  readonly identifier = 'CompletionProvider:dbx-magic';
  readonly rank = 1000; // before the words that the file has already
  readonly renderer = null;

  async isApplicable(context: ICompletionContext): Promise<boolean> {
    return isSpec(context.widget);
  }

  async fetch(
    { text, offset }: CompletionHandler.IRequest,
    { widget }: ICompletionContext
  ): Promise<CompletionHandler.ICompletionItemsReply> {
    const { localPath } = (widget as DocumentWidget).context;
    // Asked for already where a field is completed, because its value comes next.
    const asked = this.offered.for(localPath);
    // The one that Python checks by; it is large, and few open a spec.
    const schema = await import('../../../dbx_magic/schemas/cluster.json');
    const offered = isOffered(text, offset) ? await asked : [];
    const { start, end, offers } = offersAt(
      schema.default,
      text,
      offset,
      offered
    );
    const items = offers.map(offer => ({
      label: offer.label,
      insertText: offer.text,
      documentation: offer.about
    }));
    return { start, end, items };
  }

  private readonly offered: Offered;
}
