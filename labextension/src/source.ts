import { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';

import { Project } from './project';

/** Whether a file's name is one that Databricks' source has. */
export function isSource(path: string): boolean {
  return ['.py', '.sql', '.scala', '.r'].includes(
    PathExt.extname(path).toLowerCase()
  );
}

/**
 * Open Databricks source as a notebook: the notebook that it was converted from; or the file
 * itself, where Jupyter's contents are jupytext's; or else a notebook made of it.
 */
export async function openAsNotebook(
  app: JupyterFrontEnd,
  project: Project,
  path: string
): Promise<void> {
  const { contents } = app.serviceManager;
  const can = (path: string, content: boolean): Promise<boolean> =>
    contents.get(path, { type: 'notebook', content }).then(
      () => true,
      () => false
    );
  const open = (path: string): Promise<unknown> =>
    app.commands.execute('docmanager:open', { path, factory: 'Notebook' });
  const notebook = notebookOf(path);
  if (await can(notebook, false)) {
    await open(notebook);
  } else if (await can(path, true)) {
    await open(path);
  } else {
    project.follow(path);
    const folder = PathExt.dirname(path);
    const into = PathExt.relative(folder, PathExt.dirname(notebook)) || '.';
    const paths = [PathExt.basename(path)];
    const work = project.perform('convert', { paths, to: 'ipynb', into });
    await work.finished;
    if (!work.error) {
      await open(notebook);
    }
  }
}

/** Where the notebook of a source file is: `workspace/` is what `notebooks/` is converted to. */
export function notebookOf(path: string): string {
  const stem = path.slice(0, path.length - PathExt.extname(path).length);
  return `${stem.replace(/(^|\/)workspace\//, '$1notebooks/')}.ipynb`;
}
