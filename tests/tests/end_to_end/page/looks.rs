//! How a view looks, as far as it can be computed: whether text can be told from what is behind it, and whether all of it fits.

use serde_json::json;

use super::Browser;

/// Each text that is shown, with its contrast to what is behind it (WCAG 2.2, relative luminance), where that is less than 4.5, or than 3 for
/// large text (1.4.3); and each field whose edge has less than 3 (1.4.11).
const FAINT: &str = r"
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const read = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a)];
    const behind = (element) => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) layers.unshift(read(getComputedStyle(at).backgroundColor));
        return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
    };
    const light = (colour) => {
        const [r, g, b] = colour.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one, other) => {
        const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const faint = [];
    let count = 0;
    const check = (element, colour, least, what) => {
        const ground = behind(element);
        const found = contrast(over(read(colour), ground), ground);
        count += 1;
        if (found < least) faint.push(`${what}: ${found.toFixed(2)} of ${least}`);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('.unseen, noscript')) continue;
        const style = getComputedStyle(element);
        const size = parseFloat(style.fontSize);
        const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        check(element, style.color, isLarge ? 3 : 4.5, walker.currentNode.data.trim().slice(0, 40));
    }
    for (const field of document.querySelectorAll('input:not([type=checkbox]), select, textarea')) {
        if (!field.checkVisibility()) continue;
        check(field, getComputedStyle(field).color, 4.5, `what is in ${field.name}`);
        if (field.placeholder) check(field, getComputedStyle(field, '::placeholder').color, 4.5, `what could be in ${field.name}`);
        const edged = getComputedStyle(field).borderTopWidth === '0px' ? field.parentElement : field;
        check(edged.parentElement, getComputedStyle(edged).borderTopColor, 3, `the edge of ${field.name}`);
    }
    return { faint, count };
";

/// Each element that stands out of the window to the right, and is in nothing that scrolls.
const WIDE: &str = r"
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > width + 1 && !one.closest('pre, .wide'))
        .map((one) => `${one.tagName}.${one.className}`).concat(`${document.documentElement.scrollWidth} of ${width}`);
";

/// Looks at the view at hand in both schemes, on a desk and on a phone, and keeps pictures.
pub(super) async fn look(browser: &Browser, name: &str) {
    for width in [1_200, 360] {
        browser.size(width).await;
        for scheme in ["light", "dark"] {
            browser.scheme(scheme).await;
            let seen = browser.run(FAINT, json!([])).await;
            assert!(seen["count"].as_u64().is_some_and(|count| count > 3), "{name}: {seen}");
            assert_eq!(seen["faint"], json!([]), "{name}, {scheme}, {width}");
            browser.picture(&format!("{name}-{scheme}-{width}")).await;
        }
        assert_eq!(browser.run(WIDE, json!([])).await, json!([]), "{name} at {width}");
        assert_eq!(browser.value("innerWidth").await, width, "{name}");
    }
    browser.size(1_200).await;
    browser.scheme("light").await;
}
