// SPDX-License-Identifier: Apache-2.0
// What is measured within the page: each function is handed over to the browser as it stands, so that it uses nothing from outside.

/// The luminance of the ground, and the contrast of every text that is seen with what lies behind it, by WCAG 2.
export function contrasts() {
    const parse = (color) => {
        const numbers = color.match(/[\d.]+/g).map(Number);
        return { rgb: numbers.slice(0, 3), alpha: numbers.length > 3 ? numbers[3] : 1 };
    };
    const luminance = (rgb) => {
        const [red, green, blue] = rgb.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const over = (top, alpha, ground) => top.map((value, i) => value * alpha + ground[i] * (1 - alpha));
    const behind = (element) => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) {
            layers.unshift(parse(getComputedStyle(at).backgroundColor));
        }
        return layers.reduce((ground, layer) => over(layer.rgb, layer.alpha, ground), [255, 255, 255]);
    };
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement;
        if (!node.data.trim() || !element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) {
            continue;
        }
        const ground = behind(element);
        const color = parse(getComputedStyle(element).color);
        const [high, low] = [luminance(over(color.rgb, color.alpha, ground)), luminance(ground)].sort((a, b) => b - a);
        texts.push({ text: node.data.trim(), contrast: (high + 0.05) / (low + 0.05) });
    }
    return { ground: luminance(behind(document.body)), texts };
}

/// How wide the page is, what stands out of the screen, and how large what can be touched is.
export function targets() {
    const width = document.documentElement.clientWidth;
    const named = (element) => element.innerText || element.tagName;
    const box = (element) => element.getBoundingClientRect();
    return {
        width: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth),
        outside: [...document.querySelectorAll("body *")].filter((element) => box(element).width > 0 && (box(element).left < 0 || box(element).right > width + 0.5)).map(named),
        targets: [...document.querySelectorAll("a, button, input, select, [role=button]")].map((element) => ({ name: named(element), width: box(element).width, height: box(element).height })),
    };
}
