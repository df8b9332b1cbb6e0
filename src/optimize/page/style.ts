/** Colours by use. Text keeps 4.5 : 1 to its ground, marks 3 : 1 (WCAG 2.2, 1.4.3 and 1.4.11); a test measures it. */
export interface Palette {
  readonly ground: string;
  readonly raised: string;
  readonly text: string;
  readonly muted: string;
  readonly rule: string;
  readonly first: string;
  readonly second: string;
  readonly alert: string;
}

export const LIGHT: Palette = {
  ground: '#ffffff',
  raised: '#f4f6f8',
  text: '#1a1f24',
  muted: '#56616c',
  rule: '#dde2e7',
  first: '#1f5fae',
  second: '#b4531a',
  alert: '#b3261e',
};

export const DARK: Palette = {
  ground: '#14181c',
  raised: '#1d2329',
  text: '#e7ebee',
  muted: '#a0abb5',
  rule: '#343c45',
  first: '#7fb0f5',
  second: '#f0a468',
  alert: '#ff8f85',
};

function variables(palette: Palette): string {
  return Object.entries(palette)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(';');
}

/** Paper is light whatever the screen is, and shows what is folded away on a screen. */
const THEME = `
:root{color-scheme:light dark;${variables(LIGHT)}}
@media screen and (prefers-color-scheme:dark){:root{${variables(DARK)}}}
@media print{
  .scroll{overflow:visible!important}
  details::details-content{content-visibility:visible;display:block}
  figure,tr,.figures>div,.warning{break-inside:avoid}
  h2,h3{break-after:avoid}
  nav,.narrow{display:none!important}
  *{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}`;

const TEXT = `
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;overflow-wrap:anywhere;background:var(--ground);color:var(--text);
  font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
body>*{max-width:1120px;margin-inline:auto;padding-inline:20px}
td,th{overflow-wrap:break-word}
td.name,.variants th{overflow-wrap:anywhere}
h1{font-size:1.75rem;line-height:1.2;margin:.2em 0 .4em;letter-spacing:-.01em}
h2{font-size:1.25rem;line-height:1.3;margin:0 0 .5rem}
h3{font-size:1rem;line-height:1.4;margin:0 0 .25rem}
p{margin:0 0 .75rem;max-width:72ch}
section{padding-block:1.75rem 1rem}
section+section{border-top:1px solid var(--rule)}
header{padding-top:2rem}
a{color:var(--first)}
code{font:.86em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.muted,figcaption p,.note{color:var(--muted);font-size:.875rem}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;font-size:.875rem;padding-block:.25rem 1rem}
:focus-visible{outline:2px solid var(--first);outline-offset:2px}
details{border-top:1px solid var(--rule);padding-block:.5rem}
details+details{margin-top:-1px}
summary{cursor:pointer;font-size:.9375rem;padding-block:.15rem}
details[open]>summary{margin-bottom:.75rem}
ul{margin:0 0 .75rem;padding-left:1.2rem}`;

const BLOCKS = `
.figures{display:flex;flex-wrap:wrap;gap:1px;
  margin:1.25rem 0;background:var(--rule);border:1px solid var(--rule);border-radius:8px;
  overflow:hidden}
.figures>div{flex:1 1 150px;background:var(--raised);padding:.75rem .9rem}
.figures dt{font-size:.8125rem;color:var(--muted)}
.figures dd{margin:0;font-variant-numeric:tabular-nums}
.figures .value{font-size:1.375rem;font-weight:600;line-height:1.35;white-space:nowrap}
.figures .aside{font-size:.8125rem;color:var(--muted);line-height:1.4}
.warning{border-left:3px solid var(--second);padding:.1rem 0 .1rem .9rem;margin:0 0 1rem}
.warning ul{margin:.25rem 0}
.facts{display:grid;grid-template-columns:minmax(8rem,14rem) 1fr;gap:.3rem 1.25rem;margin:0 0 1rem;
  font-size:.9375rem}
.facts dt{color:var(--muted)}
.facts dd{margin:0;min-width:0}
.digest{display:block;color:var(--muted)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;margin-bottom:.75rem;font-size:.875rem;font-variant-numeric:tabular-nums;
  line-height:1.4}
caption{text-align:left;white-space:nowrap;color:var(--muted);font-size:.875rem;padding-bottom:.4rem}
th,td{text-align:left;vertical-align:top;padding:.45rem .9rem .45rem 0;
  border-bottom:1px solid var(--rule)}
th{font-weight:600}
thead th{vertical-align:bottom;border-bottom-color:var(--muted)}
td.number,th.number{text-align:right;white-space:nowrap}
td .muted{display:block;font-size:.8125rem}
.variants{width:100%}
.variants th[scope=row]{min-width:9rem;max-width:24rem;padding-right:1.25rem}
.variants th[scope=row] .muted{display:block;font-weight:400;font-size:.8125rem}
.variants td,.variants thead th{padding-inline:.75rem;min-width:7rem;max-width:14rem}
.variants .chosen{background:var(--raised)}
.badge{display:block;font-weight:400;font-size:.75rem;color:var(--first)}
.over{color:var(--alert)}
.variants th:first-child{padding-left:0}
.narrow{display:none}
.other{padding-block:.5rem 1rem}
.charts>.wide{grid-column:1/-1}
@media screen{
  .variants th:first-child{position:sticky;left:0;background:var(--ground);z-index:1}
}
.layers td,.layers th,.lists td,.lists th{padding-right:1.25rem}
.layers td.name,.lists td.name{min-width:18rem}
.lists td.kinds{min-width:10rem}
td.answer{white-space:nowrap}
.bars td,.bars th{padding-right:1.25rem}
.bars th[scope=row]{font-weight:400}
.bars td.bar-cell{width:9rem;min-width:6rem;padding-block:.8rem}
.bars td.why{min-width:14rem;color:var(--muted)}
.bars td.name{min-width:14rem}`;

const CHARTS = `
figure{margin:0}
.chart{margin-bottom:.75rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));
  gap:2rem 2.5rem;margin-bottom:1.5rem}
.charts>*{min-width:0}
.plot{position:relative}
.plot.axes{padding:34px 22px 48px 72px}
.plot.bare{padding:6px 22px 48px 5px}
svg{display:block;overflow:visible;font-size:12px}
svg text{fill:var(--text);paint-order:stroke;stroke:var(--ground);stroke-width:3px;
  stroke-linejoin:round}
.start{text-anchor:start}.middle{text-anchor:middle}.end{text-anchor:end}
svg .tick,svg .axis{fill:var(--muted);font-variant-numeric:tabular-nums}
.grid,.zero{stroke:var(--rule)}
.identical{stroke-dasharray:3 3}
.stretch *{vector-effect:non-scaling-stroke}
.front{stroke:var(--first);stroke-width:1.5}
.leader{stroke:var(--muted)}
.point{fill:var(--first);stroke:var(--first);stroke-width:1.75}
.point.hollow{fill:var(--ground)}
.ring{fill:none;stroke:var(--first);stroke-width:1.25}
.name.chosen,svg .figure{font-variant-numeric:tabular-nums}
.name{font-weight:500}.name.chosen{font-weight:700}
svg .figure{fill:var(--muted);stroke-width:5px}
.bar.first,.dot.first{fill:var(--first)}
.bar.second,.dot.second{fill:var(--second)}
.spread{stroke-width:2}
.spread.first{stroke:var(--first)}.spread.second{stroke:var(--second)}
.limit{stroke:var(--alert);stroke-dasharray:5 3}
svg .limit-name{fill:var(--alert)}
.line{fill:none;stroke:var(--first);stroke-width:1.5}
.worst{fill:none;stroke:var(--alert);stroke-width:1.5}
svg .worst-rank{fill:var(--alert);font-weight:700}
.second-line{fill:none;stroke:var(--second);stroke-width:1.5;stroke-dasharray:6 3}
.shade{fill:var(--raised)}
.bar.track{fill:var(--rule)}
.mark{stroke:var(--text);stroke-width:1.5}
.chosen-share{stroke:var(--second);stroke-dasharray:4 3}
.multiples{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,230px),1fr));
  gap:1rem 1.5rem;margin-bottom:1rem}
.multiple{min-width:0;font-size:.8125rem;line-height:1.4}
.multiple figcaption>*{display:block}
.multiple figcaption>span{color:var(--muted)}
.plot.small{padding:14px 20px 26px 60px}
.bins{fill:var(--first)}
.histograms{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));
  gap:1.25rem 1.25rem;margin-bottom:1rem}
.histogram{min-width:0;font-size:.8125rem;line-height:1.4}
.histogram svg{border-bottom:1px solid var(--muted)}
.histogram .range{display:flex;justify-content:space-between;font-size:.75rem;
  color:var(--muted);font-variant-numeric:tabular-nums}
.histogram figcaption>*{display:block}
.histogram figcaption>span{color:var(--muted)}
.strip{margin:.5rem 0 1rem}
.strip rect{stroke:var(--ground);stroke-width:1}
.mapped{fill:var(--first)}.after{fill:var(--muted)}.cannot{fill:var(--second)}
.key{margin-right:1rem;font-size:.875rem;color:var(--muted)}
.key::before{content:"";display:inline-block;width:.7em;height:.7em;margin-right:.4em;
  border-radius:2px;background:currentColor}
.key.first::before,.key.mapped::before{background:var(--first)}
.key.shaded::before{background:var(--raised);outline:1px solid var(--muted)}
.key.second::before,.key.cannot::before{background:var(--second)}
@media (max-width:480px){
  body>*{padding-inline:16px}
  h1{font-size:1.5rem}
  .figures>div{flex-basis:40%;padding:.6rem .7rem}
  .figures .value{font-size:1.2rem}
  .facts{grid-template-columns:1fr;gap:0}
  .facts dd{margin-bottom:.6rem}
  .variants th[scope=row] .wide{display:none}
  .narrow{display:block}
  .variants td,.variants thead th{min-width:5.9rem;padding-inline:.5rem}
  .variants th:first-child{padding-left:0}
  .variants th[scope=row]{min-width:7.5rem;padding-right:.5rem}
  .lists td,.lists th{padding-right:.8rem}
}`;

export const STYLE_SHEET = `${THEME}${TEXT}${BLOCKS}${CHARTS}\n`;
