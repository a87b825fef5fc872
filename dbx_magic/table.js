// Brings a table of display() to life: sort, filter, all rows while one scrolls, a quick chart.
(script => {
  const root =
    script.closest('.dbx-table') ||
    script.parentElement.querySelector('.dbx-table:not([data-live])');
  if (!root || root.dataset.live) {
    return;
  }
  root.dataset.live = 'yes';
  const { columns, rows } = JSON.parse(root.querySelector('script[type="application/json"]').text);
  const STEP = 100;
  const BARS = 60;
  const POINTS = 2000;
  const frame = root.querySelector('.dbx-rows');
  const body = root.querySelector('tbody');
  const heads = [...root.querySelectorAll('th')];
  const count = root.querySelector('.dbx-count');
  const said = count.textContent;
  let order = rows.map((_, index) => index);
  let sorted = -1;
  let descending = false;
  let words = '';

  const make = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    node.append(...children);
    return node;
  };
  const draw = (name, attributes, text) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', name);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    if (text !== undefined) {
      node.textContent = text;
    }
    return node;
  };
  const number = text => (text === null || text.trim() === '' ? NaN : Number(text));
  const short = value =>
    value.toLocaleString(undefined, {
      maximumSignificantDigits: 4,
      notation: Math.abs(value) >= 1e6 ? 'compact' : 'standard'
    });

  const append = () => {
    order.slice(body.rows.length, body.rows.length + STEP).forEach(index => {
      const row = body.insertRow();
      rows[index].forEach((text, column) => {
        const cell = row.insertCell();
        cell.textContent = text === null ? 'null' : text;
        cell.className = [columns[column].number && 'dbx-number', text === null && 'dbx-null']
          .filter(Boolean)
          .join(' ');
        if (text !== null && text.length > 40) {
          cell.title = text;
        }
      });
    });
  };
  const compare = (one, other) => {
    const [a, b] = [rows[one][sorted], rows[other][sorted]];
    if (a === null || b === null) {
      return (a === null) - (b === null); // what is missing comes last, either way
    }
    const [x, y] = [number(a), number(b)];
    let result;
    if (columns[sorted].number) {
      if (Number.isNaN(x) || Number.isNaN(y)) {
        return Number.isNaN(x) - Number.isNaN(y);
      }
      result = x - y;
    } else {
      result = a.localeCompare(b, undefined, { numeric: true });
    }
    return descending ? -result : result;
  };
  const update = () => {
    order = rows.map((_, index) => index);
    if (words) {
      order = order.filter(index =>
        rows[index].some(text => text !== null && text.toLowerCase().includes(words))
      );
    }
    if (sorted >= 0) {
      order.sort(compare);
    }
    heads.forEach((head, column) => {
      const way = column !== sorted ? 'none' : descending ? 'descending' : 'ascending';
      head.setAttribute('aria-sort', way);
    });
    body.replaceChildren();
    frame.scrollTop = 0;
    append();
    count.textContent = words
      ? `${order.length.toLocaleString('en')} of ${said.replace(/, \d+ shown/, '')}`
      : said.replace(/, \d+ shown/, '');
    if (!chart.hidden) {
      plot();
    }
  };

  heads.forEach((head, column) => {
    const button = make('button', { type: 'button', title: `${head.title} · click to sort` });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      descending = sorted === column && !descending;
      sorted = column;
      update();
    });
  });
  frame.addEventListener('scroll', () => {
    if (frame.scrollTop + frame.clientHeight > frame.scrollHeight - 200) {
      append();
    }
  });

  // The controls
  const filter = make('input', {
    type: 'search',
    placeholder: 'Filter rows',
    'aria-label': 'Filter rows'
  });
  filter.addEventListener('input', () => {
    words = filter.value.trim().toLowerCase();
    update();
  });
  // What is typed here is no command of the notebook's.
  filter.addEventListener('keydown', event => event.stopPropagation());
  const bar = make('div', { class: 'dbx-bar' }, filter);
  const chart = make('div', { class: 'dbx-chart' });
  chart.hidden = true;
  const numeric = columns.map((_, index) => index).filter(index => columns[index].number);
  const select = (label, indexes, chosen) => {
    const options = indexes.map(index => make('option', { value: index }, columns[index].name));
    const list = make('select', { 'aria-label': label }, ...options);
    list.value = chosen;
    list.addEventListener('change', () => plot());
    return list;
  };
  const first = columns.findIndex((_, index) => index !== numeric[0]);
  const kind = make('select', { 'aria-label': 'Kind of chart' });
  kind.append(make('option', { value: 'bar' }, 'Bars'), make('option', { value: 'line' }, 'Line'));
  const all = columns.map((_, index) => index);
  const yList = select('Up', numeric, numeric[0]);
  const xList = select('Along', all, Math.max(first, 0));
  if (first >= 0 && columns[first].number) {
    xList.value = numeric[0];
    yList.value = numeric[1];
  }
  if (columns[xList.value] && (columns[xList.value].number || columns[xList.value].time)) {
    kind.value = 'line';
  }
  kind.addEventListener('change', () => plot());
  if (numeric.length) {
    const toggle = make('button', { type: 'button', 'aria-pressed': 'false' }, 'Chart');
    toggle.addEventListener('click', () => {
      chart.hidden = !chart.hidden;
      toggle.setAttribute('aria-pressed', String(!chart.hidden));
      choices.hidden = chart.hidden;
      if (!chart.hidden) {
        plot();
      }
    });
    const choices = make('span', {}, kind, ' ', yList, ' by ', xList);
    choices.hidden = true;
    bar.append(toggle, choices);
  }
  frame.before(bar, chart);

  const plot = () => {
    const [x, y] = [Number(xList.value), Number(yList.value)];
    const isLine = kind.value === 'line';
    let points = order
      .map(index => ({ x: rows[index][x] === null ? 'null' : rows[index][x], y: number(rows[index][y]) }))
      .filter(point => Number.isFinite(point.y));
    const there = points.length;
    const along = isLine && columns[x].number;
    if (along) {
      points = points.filter(point => Number.isFinite(number(point.x)));
      points.sort((one, other) => number(one.x) - number(other.x));
    }
    if (isLine && columns[x].time) {
      points.sort((one, other) => one.x.localeCompare(other.x));
    }
    points = points.slice(0, isLine ? POINTS : BARS);
    const [width, height, left, right, top, bottom] = [720, 240, 56, 12, 12, 30];
    const svg = draw('svg', {
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': `${columns[y].name} by ${columns[x].name}`
    });
    const ys = points.map(point => point.y);
    let low = Math.min(...ys, isLine ? Infinity : 0);
    let high = Math.max(...ys, isLine ? -Infinity : 0);
    if (low === high) {
      [low, high] = [low - 1, high + 1];
    }
    const up = value => top + ((high - value) / (high - low)) * (height - top - bottom);
    const room = width - left - right;
    const begin = along ? number(points[0]?.x) : 0;
    const span = along ? number(points[points.length - 1]?.x) - begin || 1 : points.length || 1;
    const at = (point, index) =>
      left + room * (along ? (number(point.x) - begin) / span : (index + 0.5) / span);
    for (let step = 0; step <= 3; step++) {
      const value = low + ((high - low) * step) / 3;
      svg.append(
        draw('line', { x1: left, x2: width - right, y1: up(value), y2: up(value), class: 'dbx-grid' }),
        draw('text', { x: left - 6, y: up(value) + 4, 'text-anchor': 'end' }, short(value))
      );
    }
    let taken = -Infinity;
    points.forEach((point, index) => {
      const middle = at(point, index);
      if (middle - taken >= 80) {
        const label = point.x.length > 12 ? `${point.x.slice(0, 11)}…` : point.x;
        svg.append(draw('text', { x: middle, y: height - 10, 'text-anchor': 'middle' }, label));
        taken = middle;
      }
    });
    if (isLine) {
      const path = points.map((point, index) => `${at(point, index)},${up(point.y)}`).join(' ');
      svg.append(draw('polyline', { points: path, class: 'dbx-line' }));
    }
    const thick = Math.min(80, (room / (points.length || 1)) * 0.8);
    (isLine && points.length > 100 ? [] : points).forEach((point, index) => {
      const zero = up(Math.max(low, Math.min(high, 0)));
      const mark = isLine
        ? draw('circle', { cx: at(point, index), cy: up(point.y), r: 3 })
        : draw('rect', {
            x: at(point, index) - thick / 2,
            width: thick,
            y: Math.min(up(point.y), zero),
            height: Math.abs(up(point.y) - zero)
          });
      mark.append(draw('title', {}, `${point.x}: ${point.y}`));
      svg.append(mark);
    });
    const cut = points.length < there ? `the first ${points.length} of ${there} rows` : '';
    chart.replaceChildren(svg, make('div', { class: 'dbx-count' }, cut));
  };

  update();
})(document.currentScript);
