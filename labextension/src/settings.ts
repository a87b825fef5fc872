import { ISettingRegistry } from '@jupyterlab/settingregistry';

/** What the user chooses in the Settings Editor; `schema/panel.json` explains each. */
export interface ISettings {
  refreshSeconds: number;
  saveBeforePush: boolean;
  showBadges: boolean;
  notify: 'when-hidden' | 'always' | 'never';
}

export const DEFAULTS: ISettings = {
  refreshSeconds: 30,
  saveBeforePush: true,
  showBadges: true,
  notify: 'when-hidden'
};

/** Give the settings now and whenever they are changed. */
export async function useSettings(
  registry: ISettingRegistry,
  plugin: string,
  use: (settings: ISettings) => void
): Promise<void> {
  const loaded = await registry.load(plugin);
  const read = (): void => use(loaded.composite as unknown as ISettings);
  loaded.changed.connect(read);
  read();
}
