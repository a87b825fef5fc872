import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { Project } from './project';
import { Work } from './work';

/** Tell in a notification how work has ended, unless that is seen anyway. */
export function tellEnds(
  project: Project,
  trans: TranslationBundle,
  panel: { isVisible: () => boolean; show: () => unknown }
): void {
  project.ended.connect((_, work) => {
    const { notify } = project.settings;
    if (notify === 'never' || (notify !== 'always' && panel.isVisible())) {
      return;
    }
    const tell = work.error ? Notification.error : Notification.success;
    tell(wordsOf(work, trans), {
      actions: [{ label: trans.__('Show'), callback: () => panel.show() }]
    });
  });
}

function wordsOf(work: Work, trans: TranslationBundle): string {
  if (work.error) {
    return work.error.message;
  }
  if (work.isTrial && work.plan) {
    return work.plan.title;
  }
  const [line] = work.result?.view ?? [];
  return line ? `${line.text} ${line.note}` : trans.__('Done');
}
