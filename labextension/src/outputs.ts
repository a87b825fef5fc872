import { MainAreaWidget } from '@jupyterlab/apputils';
import { IOutput } from '@jupyterlab/nbformat';
import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { databricksIcon } from './icons';
import { Event } from './protocol';
import { Work } from './work';

type Shown = Extract<Event, { event: 'Shown' }>;

/** What code on the cluster shows, as a notebook would show it, while it runs. */
export function showOutputs(
  work: Work,
  title: string,
  rendermime: IRenderMimeRegistry
): MainAreaWidget {
  // The user's own code: as much trusted as a kernel's outputs.
  const model = new OutputAreaModel({ trusted: true });
  const content = new SimplifiedOutputArea({ model, rendermime });
  content.addClass('jp-DbxOutputs');
  const widget = new MainAreaWidget({ content });
  widget.id = `dbx-magic-outputs-${Date.now()}`;
  widget.title.label = title;
  widget.title.icon = databricksIcon;
  widget.title.closable = true;
  const places = new Map<string, number>();
  const add = (_: unknown, shown: Shown): void => {
    if (shown.kind === 'Clear') {
      places.clear();
      model.clear(shown.wait);
      return;
    }
    const id = shown.kind === 'Display' ? shown.display_id : '';
    const place = places.get(id);
    if (place !== undefined) {
      model.set(place, outputOf(shown));
    } else {
      model.add(outputOf(shown));
    }
    if (id && place === undefined) {
      places.set(id, model.length - 1);
    }
  };
  work.shown.connect(add);
  widget.disposed.connect(() => {
    work.shown.disconnect(add);
    model.dispose();
  });
  return widget;
}

function outputOf(shown: Exclude<Shown, { kind: 'Clear' }>): IOutput {
  switch (shown.kind) {
    case 'Stream':
      return { output_type: 'stream', name: shown.name, text: shown.text };
    case 'Display':
      return {
        output_type: 'display_data',
        data: shown.data as never,
        metadata: shown.metadata as never
      };
    case 'Failure':
      return {
        output_type: 'error',
        ename: shown.name,
        evalue: shown.value,
        traceback: shown.traceback
      };
  }
}
