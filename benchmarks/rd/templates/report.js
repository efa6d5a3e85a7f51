for (const viewer of document.querySelectorAll('.viewer')) {
  const find = (query) => viewer.querySelector(query);
  const shots = [...viewer.querySelectorAll('.grid img')];
  const layers = find('.layers'), at = find('.at'), zoom = find('.zoom');
  const sides = { left: find('select.left'), right: find('select.right') };
  const show = () => {
    for (const side in sides) {
      find('.layers .' + side).src = shots[sides[side].value].src;
      find('.layers .' + side).alt = shots[sides[side].value].alt;
    }
  };
  const move = () => layers.style.setProperty('--at', at.value + '%');
  for (const side in sides) {
    shots.forEach((shot, index) => sides[side].add(new Option(shot.alt, index)));
    sides[side].onchange = show;
  }
  sides.left.value = 0;
  sides.right.value = Math.min(1, shots.length - 1);
  shots.forEach((shot, index) => {
    const choose = () => { sides.right.value = index; show(); };
    shot.tabIndex = 0;
    shot.onclick = choose;
    shot.onkeydown = (event) => { if (event.key === 'Enter') choose(); };
  });
  at.oninput = move;
  const drag = (event) => {
    if (event.type === 'pointermove' && !event.buttons) return;
    const box = layers.getBoundingClientRect();
    at.value = Math.max(0, Math.min(100, 100 * (event.clientX - box.left) / box.width));
    move();
  };
  layers.onpointerdown = (event) => { layers.setPointerCapture(event.pointerId); drag(event); };
  layers.onpointermove = drag;
  zoom.onchange = () => {
    at.style.maxWidth = layers.dataset.width + 'px';
    layers.style.width = zoom.value === 'fit' ? '' : layers.dataset.width * zoom.value + 'px';
    layers.style.maxWidth = zoom.value === 'fit' ? layers.dataset.width + 'px' : 'none';
  };
  zoom.onchange();
  show();
  move();
  viewer.classList.add('ready');
}
