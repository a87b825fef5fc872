import { LabIcon } from '@jupyterlab/ui-components';

import layers from '../style/layers.svg';

/** Three layers, one above the other. */
export const databricksIcon = new LabIcon({
  name: 'dbx-magic:layers',
  svgstr: layers
});
