/* SPDX-License-Identifier: Apache-2.0
 *
 * A refusal by the cloud's hardening policy, shown where it was met: once, and
 * whole. Fields have the form's own labels; a button makes each change that the
 * form can make, and other fixes are commands to copy. All is text, never
 * markup.
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

  /* Return a refusal as elements under a title.
   *
   * Without data, that is the gate's text. What the form can change has a
   * button in place of a command.
   */
  function told(refusal, title) {
    var content = [element('p', '', [element('strong', '', [title])])];
    if (!refusal.violations) {
      return content.concat(element('p', '', marked(refusal.message)));
    }
    content.push(element('ul', '', refusal.violations.map(violation)));
    if (refusal.more) {
      content.push(element('p', '', [
        interpolate(gettext('And %s more.'), [refusal.more])]));
    }
    var buttons = refusal.changes.map(change).filter(Boolean);
    if (refusal.fix &&
        (refusal.left || buttons.length < (refusal.changes.length || 1))) {
      content.push(element('p', '', [
        element('strong', '', [gettext('To fix:')]), ' '
      ].concat(marked(refusal.fix))));
    }
    return content.concat(buttons.map(function (each) {
      return element('p', '', [each]);
    }));
  }

  function violation(item) {
    var named = item.property && field(item.property);
    if (!named) {
      return element('li', '', [item.text]);
    }
    var text = interpolate(
      gettext('%(label)s: %(value)s is not allowed (allowed: %(allowed)s)'),
      angular.extend({}, item, {label: named.label}), true);
    var rule = interpolate(gettext('Rule %s'), [item.rule]);
    return element('li', '', [
      text, item.advice ? ': ' + item.advice : '', '. ',
      element('small', '', [rule])]);
  }

  /* Return the button of a change; null if the form has no such field. */
  function change(item) {
    var named = field(item.property);
    if (!named) {
      return null;
    }
    var text = item.value === null ? gettext('Remove %(label)s')
      : gettext('Set %(label)s to %(value)s');
    var data = {label: named.label, value: item.value};
    var made = button('btn btn-default btn-sm', interpolate(text, data, true));
    made.addEventListener('click', function () {
      named.set(item.value);
      made.disabled = true;
    });
    return made;
  }

  /* Return the label of an image property in the open dialog, and what sets
   * it; null if the dialog has no such field.
   */
  function field(name) {
    var tree = angular.element('[uib-modal-window] metadata-tree').last()
      .controller('metadataTree');
    var items = tree ? tree.tree.flatTree : [];
    var item = items.filter(function (each) {
      return each.leaf && each.leaf.name === name;
    })[0];
    return item ? {label: item.label, set: set} : null;

    function set(value) {
      global.novaVhard.digest(function () {
        if (value === null) {
          tree.tree.unmarkAsAdded(item);
        } else {
          item.setLeafValue(value);
          tree.tree.markAsAdded(item);
        }
      });
    }
  }

  /* Return text as it is, but what is between backticks as commands. */
  function marked(text) {
    return text.split('`').reduce(function (content, part, index) {
      return content.concat(index % 2 ? copied(part) : [part]);
    }, []);
  }

  function copied(text) {
    var command = element('code', '', [text]);
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
