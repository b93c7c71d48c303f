/* SPDX-License-Identifier: Apache-2.0
 *
 * A refusal by the cloud's hardening policy, shown where it was met: once,
 * whole, and with the commands of its fix to copy. Whatever it says is text,
 * never markup.
 */
(function (global) {
  'use strict';

  var CLASS = 'nova-vhard-refusal';
  var DIALOGS = '[uib-modal-window] .modal-body, ' +
    '#modal_wrapper .modal:not(.loading) .modal-body';

  global.novaVhard = {find: find, show: show, clear: clear, told: told};

  /* Return the refusal in a body, an object or a JSON text; or null. */
  function find(body) {
    var found = body;
    if (typeof body === 'string') {
      try {
        found = JSON.parse(body);
      } catch (error) {
        return null;
      }
    }
    return found && found.nova_vhard || null;
  }

  /* Show a refusal in the dialog that is open, else above the page. */
  function show(refusal) {
    var dialogs = document.querySelectorAll(DIALOGS);
    var place = dialogs.length ? dialogs[dialogs.length - 1]
      : document.querySelector('#main_content .messages');
    clear();
    if (place) {
      var shown = place.insertBefore(block(refusal), place.firstChild);
      shown.scrollIntoView({block: 'nearest'});
    }
  }

  function clear() {
    Array.from(document.getElementsByClassName(CLASS)).forEach(
      function (shown) { shown.remove(); });
  }

  function block(refusal) {
    var title = gettext('The hardening policy of this cloud refuses this.');
    var content = [closing()].concat(told(refusal, title));
    var shown = element('div', 'alert alert-danger word-wrap ' + CLASS, content);
    shown.setAttribute('role', 'alert');
    return shown;
  }

  /* Return what a refusal says, as elements under a title. */
  function told(refusal, title) {
    var content = [
      element('p', '', [element('strong', '', [title])]),
      element('ul', '', refusal.violations.map(violation))
    ];
    if (refusal.more) {
      content.push(element('p', '', [
        interpolate(gettext('And %s more.'), [refusal.more])]));
    }
    if (refusal.fix.length) {
      content.push(element('p', '', [
        element('strong', '', [gettext('To fix:')]), ' '
      ].concat([].concat.apply([], refusal.fix.map(step)))));
    }
    return content;
  }

  function violation(sentence) {
    var rule = sentence.rule ? [' ', element('small', '', [
      interpolate(gettext('Rule %s'), [sentence.rule])])] : [];
    return element('li', '', [sentence.text].concat(rule));
  }

  function step(part) {
    if (!part.command) {
      return [part.text];
    }
    var command = element('code', '', [part.text]);
    return [command, ' ', copying(command)];
  }

  function closing() {
    var close = button('close', '\u00d7');
    close.setAttribute('aria-label', gettext('Close'));
    close.addEventListener('click', clear);
    return close;
  }

  function copying(command) {
    var copy = button('btn btn-default btn-xs', gettext('Copy'));
    copy.addEventListener('click', function () {
      selected(command);
      // Outside of a secure context there is no other way.
      document.execCommand('copy');
      copy.textContent = gettext('Copied');
    });
    return copy;
  }

  function selected(node) {
    var range = document.createRange();
    range.selectNodeContents(node);
    global.getSelection().removeAllRanges();
    global.getSelection().addRange(range);
  }

  function button(classes, text) {
    var made = element('button', classes, [text]);
    made.type = 'button';
    return made;
  }

  /* Make an element; content is elements, and strings that become text. */
  function element(name, classes, content) {
    var made = document.createElement(name);
    made.className = classes;
    content.forEach(function (part) {
      made.appendChild(typeof part === 'string'
        ? document.createTextNode(part) : part);
    });
    return made;
  }
})(window);
