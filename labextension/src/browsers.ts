import { FileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';

/** The folder that a file browser shows. */
export function folderOf({ model }: FileBrowser): string {
  return model.manager.services.contents.localPath(model.path);
}

/** Do something with each file browser that there is or will be. */
export function eachBrowser(
  browsers: IFileBrowserFactory | null,
  act: (browser: FileBrowser) => void
): void {
  browsers?.tracker.forEach(act);
  browsers?.tracker.widgetAdded.connect((_, browser) => act(browser));
}
