import { JupyterFrontEnd } from '@jupyterlab/application';
import {
  ABCWidgetFactory,
  DocumentRegistry,
  DocumentWidget
} from '@jupyterlab/docregistry';
import { TranslationBundle } from '@jupyterlab/translation';

import { databricksIcon } from '../icons';

const EDITOR = 'Editor'; // JupyterLab's name for its text editor
const SPEC = 'dbx-cluster-spec';

/** Opens a cluster spec in the text editor; JupyterLab opens other JSON only to look at. */
class SpecEditor extends ABCWidgetFactory<DocumentWidget> {
  constructor(
    private readonly registry: DocumentRegistry,
    label: string
  ) {
    super({ name: SPEC, label, fileTypes: [SPEC], defaultFor: [SPEC] });
  }

  protected createNewWidget(context: DocumentRegistry.Context): DocumentWidget {
    const editor = this.registry.getWidgetFactory(EDITOR);
    if (!editor) {
      throw new Error(`There is no factory ${EDITOR}.`);
    }
    return editor.createNew(context) as DocumentWidget;
  }
}

/** Let specs open in the editor, and do something with each that is opened. */
export function editSpecs(
  app: JupyterFrontEnd,
  trans: TranslationBundle,
  opened: (spec: DocumentWidget) => void
): void {
  const { docRegistry } = app;
  const label = trans.__('Cluster Spec');
  docRegistry.addFileType({
    name: SPEC,
    displayName: label,
    pattern: '^config\\.cluster\\.json$',
    mimeTypes: ['application/json'],
    contentType: 'file',
    fileFormat: 'text',
    icon: databricksIcon
  });
  const factory = new SpecEditor(docRegistry, label);
  factory.widgetCreated.connect((_, spec) => opened(spec));
  docRegistry.addWidgetFactory(factory);
}
