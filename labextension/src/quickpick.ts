import { MenuSvg } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';

import { PICK, REBUILD, SHOW } from './commands';
import { Project } from './project';
import { symbolOf } from './states';

const MOST_ROWS = 15;

/** Offer the clusters in a menu at `anchor`, and the way to all else; at once the latter alone. */
export async function quickPick(
  commands: CommandRegistry,
  project: Project,
  anchor: HTMLElement
): Promise<void> {
  project.refresh();
  const rows =
    project.status?.type === 'Status'
      ? await project.ask('clusters', {}).then(
          found => found.rows,
          () => [] // the panel tells why
        )
      : [];
  if (rows.length === 0) {
    await commands.execute(SHOW);
    return;
  }
  const menu = new MenuSvg({ commands });
  for (const row of rows.slice(0, MOST_ROWS)) {
    const label = `${symbolOf(row.state)} ${row.name}`;
    const args = { cluster: row.cluster_id, label, picked: row.picked };
    menu.addItem({ command: PICK, args });
  }
  menu.addItem({ type: 'separator' });
  menu.addItem({ command: REBUILD });
  menu.addItem({ command: SHOW });
  menu.aboutToClose.connect(() => {
    anchor.focus();
    queueMicrotask(() => menu.dispose());
  });
  const { left, top } = anchor.getBoundingClientRect();
  menu.open(left, top);
}
